"""Matches against torchvision's overlaps and matcher, and exact fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.models.detection._utils import Matcher
from torchvision.ops import box_iou

from benchsuite_kernels.ops import match_boxes, match_shared_boxes

RPN: dict[str, Any] = {
    "thresholds": (0.3, 0.7),
    "labels": (0, -1, 1),
    "low_quality_matches": True,
}


def boxes_of(count: int, seed: int, room: float = 100) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand((count, 2), generator=generator) * room
    return torch.cat([corner, corner + 4 + torch.rand((count, 2), generator=generator) * 40], dim=1)


@pytest.mark.parametrize("count", [1, 511, 513, 1500])
@pytest.mark.parametrize("low_quality", [False, True])
def test_as_torchvision(implementation: str, count: int, low_quality: bool) -> None:
    images, objects = 3, boxes_of(12, 1)
    # Some lie far apart from the objects; the second image has none.
    boxes = torch.cat([boxes_of(count, 2), boxes_of(count // 3, 3) + 500])
    object_image = torch.tensor([0] * 5 + [2] * 7)
    options = RPN | {"low_quality_matches": low_quality}
    matched, labels = match_shared_boxes(boxes, objects, object_image, images, **options)
    assert matched.shape == labels.shape == (images, len(boxes))
    assert matched.dtype == labels.dtype == torch.int64
    assert (labels[1] == 0).all()
    matcher = Matcher(0.7, 0.3, allow_low_quality_matches=low_quality)
    for image, start in ((0, 0), (2, 5)):
        overlaps = box_iou(objects[object_image == image], boxes)
        _, index = overlaps.max(dim=0)
        theirs = matcher(overlaps)
        assert torch.equal(labels[image] == 0, theirs == -1)
        assert torch.equal(labels[image] == -1, theirs == -2)
        assert torch.equal(matched[image], index + start)
        regions = match_boxes(
            boxes, torch.full((len(boxes),), image), objects, object_image, images, **options
        )
        assert torch.equal(regions[0], matched[image])
        assert torch.equal(regions[1], labels[image])


def test_regions_lie_in_images_in_any_order(implementation: str) -> None:
    boxes, objects = boxes_of(700, 4), boxes_of(9, 5)
    object_image = torch.arange(9) // 3
    index = torch.randint(0, 4, (700,), generator=torch.Generator().manual_seed(6))
    matched, labels = match_boxes(boxes, index, objects, object_image, 4, **RPN)
    for image in range(4):
        own = (index == image).nonzero().squeeze(1)
        alone = match_shared_boxes(boxes[own], objects, object_image, 4, **RPN)
        assert torch.equal(matched[own], alone[0][image])
        assert torch.equal(labels[own], alone[1][image])


whole = st.integers(0, 6)
box = st.tuples(whole, whole, whole, whole).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(box, max_size=12), st.lists(box, max_size=5), st.booleans())
def test_equals_exact_arithmetic_with_ties(
    implementation: str, boxes: list[list[int]], objects: list[list[int]], low_quality: bool
) -> None:
    matched, labels = match_shared_boxes(
        torch.tensor(boxes).reshape(-1, 4).float(),
        torch.tensor(objects).reshape(-1, 4).float(),
        torch.zeros(len(objects), dtype=torch.int64),
        1,
        thresholds=(0.25, 0.5),
        labels=(0, -1, 1),
        low_quality_matches=low_quality,
    )
    overlaps = [[overlap(a, b) for b in boxes] for a in objects]
    for at in range(len(boxes)):
        column = [row[at] for row in overlaps]
        best = max(column, default=Fraction(0))
        label = 1 if best >= Fraction(1, 2) else -1 if best >= Fraction(1, 4) else 0
        if low_quality and any(0 < row[at] == max(row) for row in overlaps):
            label = 1
        assert labels[0, at] == label
        assert matched[0, at] == (column.index(best) if column else 0)


def overlap(a: list[int], b: list[int]) -> Fraction:
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return Fraction(width * height, areas - width * height) if width * height else Fraction(0)


@pytest.mark.parametrize(("count", "objects", "images"), [(0, 3, 1), (5, 0, 2), (0, 0, 0)])
def test_nothing_to_match(implementation: str, count: int, objects: int, images: int) -> None:
    arguments = (boxes_of(objects, 0), torch.zeros(objects, dtype=torch.int64), images)
    matched, labels = match_shared_boxes(boxes_of(count, 1), *arguments, **RPN)
    assert matched.shape == labels.shape == (images, count)
    assert not matched.any() and not labels.any()
    nowhere = torch.zeros(count, dtype=torch.int64)
    matched, labels = match_boxes(boxes_of(count, 1), nowhere, *arguments, **RPN)
    assert not matched.any() and not labels.any()


def test_what_is_not_a_number_overlaps_nothing(implementation: str) -> None:
    nan, inf = float("nan"), float("inf")
    sound = [0.0, 0, 10, 10]
    boxes = torch.tensor([sound, [nan, 0, 10, 10], [0, 0, nan, 10], [0, 0, inf, inf], [9, 9, 1, 1]])
    objects = torch.tensor([[0, nan, 10, 10], [0, 0, inf, inf], sound, [5, 5, 5, 5]])
    matched, labels = match_shared_boxes(
        boxes, objects, torch.zeros(4, dtype=torch.int64), 1, **RPN
    )
    assert labels.tolist() == [[1, 0, 0, 0, 0]]
    assert matched.tolist() == [[2, 0, 0, 0, 0]]


def test_memory_order_does_not_matter(implementation: str) -> None:
    boxes, objects = boxes_of(50, 1), boxes_of(4, 2)
    index = torch.zeros(4, dtype=torch.int64)
    plain = match_shared_boxes(boxes, objects, index, 1, **RPN)
    turned = match_shared_boxes(boxes.T.contiguous().T, objects.T.contiguous().T, index, 1, **RPN)
    assert all(map(torch.equal, plain, turned))


@pytest.mark.parametrize("thresholds", [(0.5,), (0.1, 0.2, 0.3, 0.4), (0.1, 0.2, 0.3, 0.4, 0.5)])
def test_any_number_of_thresholds(implementation: str, thresholds: tuple[float, ...]) -> None:
    boxes, objects = boxes_of(200, 1), boxes_of(6, 2)
    labels = [i % 3 - 1 for i in range(len(thresholds) + 1)]
    _, found = match_shared_boxes(
        boxes,
        objects,
        torch.zeros(6, dtype=torch.int64),
        1,
        thresholds=thresholds,
        labels=labels,
        low_quality_matches=False,
    )
    best = box_iou(objects, boxes).amax(dim=0)
    wanted = [labels[sum(value >= bound for bound in thresholds)] for value in best.tolist()]
    assert found[0].tolist() == wanted


def test_float64_is_matched_in_float64() -> None:
    boxes, objects = boxes_of(60, 1).double(), boxes_of(4, 2).double()
    boxes[7] = objects[2] + 1e-9
    matched, labels = match_shared_boxes(
        boxes,
        objects,
        torch.zeros(4, dtype=torch.int64),
        1,
        thresholds=(1 - 1e-13,),
        labels=(0, 1),
        low_quality_matches=True,
    )
    assert matched[0, 7] == 2 and labels[0, 7] == 1


def test_the_number_of_threads_changes_nothing() -> None:
    boxes, objects = boxes_of(30_000, 1, 800), boxes_of(40, 2, 800)
    index = torch.arange(40) // 20
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = match_shared_boxes(boxes, objects, index, 2, **RPN)
        torch.set_num_threads(3)
        together = match_shared_boxes(boxes, objects, index, 2, **RPN)
    finally:
        torch.set_num_threads(before)
    assert all(map(torch.equal, alone, together))


def test_what_does_not_fit_is_refused(implementation: str) -> None:
    boxes, objects, index = boxes_of(3, 1), boxes_of(2, 2), torch.zeros(2, dtype=torch.int64)
    with pytest.raises(ValueError, match="labels for"):
        match_shared_boxes(boxes, objects, index, 1, **RPN | {"labels": (0, 1)})
    with pytest.raises(ValueError, match="are not"):
        match_shared_boxes(boxes, objects, index[:1], 1, **RPN)
    with pytest.raises(ValueError, match="image_index"):
        match_boxes(boxes, index, objects, index, 1, **RPN)
    if implementation == "emulated":  # as on a GPU, which nobody waits for
        return
    with pytest.raises(ValueError, match="object_image"):
        match_shared_boxes(boxes, objects, index + 1, 1, **RPN)
    with pytest.raises(ValueError, match="ascend"):
        match_shared_boxes(boxes, objects, torch.tensor([1, 0]), 2, **RPN)
    with pytest.raises(ValueError, match="image_index"):
        match_boxes(boxes, torch.tensor([0, 1, 0]), objects, index, 1, **RPN)


def test_it_can_be_traced() -> None:
    boxes, objects, index = boxes_of(3, 1), boxes_of(2, 2), torch.zeros(2, dtype=torch.int64)
    arguments = (boxes, None, objects, index, 1, [0.5], [0, 1], True)
    torch.library.opcheck(torch.ops.benchsuite.match_boxes.default, arguments)
