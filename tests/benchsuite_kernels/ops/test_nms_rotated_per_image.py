"""Suppression of rotated boxes, against a greedy loop over shapely's overlaps."""

from __future__ import annotations

import pytest
import torch
from shapely import Polygon
from torch import Tensor

from benchsuite_kernels.columns.rotated_boxes import corners
from benchsuite_kernels.ops import (
    batched_nms,
    batched_nms_rotated,
    nms_rotated,
    nms_rotated_per_image,
)

ABSENT = float("-inf")


def candidates(images: int, count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Rotated boxes around a few objects, scores (all different) and one of three groups each."""
    generator = torch.Generator().manual_seed(seed)
    scale = torch.tensor([80.0, 80.0, 30.0, 10.0, 360.0])
    objects = torch.rand(max(count // 8, 1), 5, generator=generator) * scale
    objects = objects + torch.tensor([0.0, 0, 10, 6, -180])
    chosen = torch.randint(0, len(objects), (images, count), generator=generator)
    noise = torch.randn(images, count, 5, generator=generator)
    boxes = objects[chosen] + noise * torch.tensor([2.0, 2, 1, 0.5, 8])
    scores = torch.stack([torch.randperm(count, generator=generator) for _ in range(images)])
    groups = torch.randint(0, 3, (images, count), generator=generator)
    return boxes, scores / count, groups


def kept_by_shapely(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> list[int]:
    shapes = [Polygon(each) for each in corners(boxes.double().numpy())]
    kept: list[int] = []
    for place in sorted(range(len(scores)), key=lambda place: -float(scores[place])):
        if scores[place] != ABSENT and not any(
            groups[place] == groups[better]
            and shapes[place].intersection(shapes[better]).area
            > threshold * shapes[place].union(shapes[better]).area
            for better in kept
        ):
            kept.append(place)
    return kept


def as_lists(index: Tensor, counts: Tensor) -> list[list[int]]:
    return [row[:count] for row, count in zip(index.tolist(), counts.tolist(), strict=True)]


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7])
@pytest.mark.parametrize(("images", "count"), [(1, 1), (2, 20), (1, 130)])
def test_keeps_what_shapely_keeps(
    implementation: str, images: int, count: int, threshold: float
) -> None:
    boxes, scores, groups = candidates(images, count)
    scores[:, ::5] = ABSENT
    want = [
        kept_by_shapely(boxes[image], scores[image], groups[image], threshold)
        for image in range(images)
    ]
    index, counts = nms_rotated_per_image(boxes, scores, groups, threshold, count)
    assert as_lists(index, counts) == want
    assert (index == -1).sum() == images * count - counts.sum()
    few = nms_rotated_per_image(boxes, scores, groups, threshold, 4)
    assert as_lists(*few) == [kept[:4] for kept in want]


def test_ragged_form_takes_any_score(implementation: str) -> None:
    boxes, scores, groups = (each[0] for each in candidates(1, 60))
    want = kept_by_shapely(boxes, scores, groups, 0.4)
    assert batched_nms_rotated(boxes, scores, groups, 0.4).tolist() == want
    want = kept_by_shapely(boxes, scores, torch.zeros(60), 0.4)
    assert nms_rotated(boxes, scores, 0.4).tolist() == want
    apart = torch.arange(3.0)[:, None] * 50 + torch.tensor([0.0, 0, 5, 5, 45])
    assert nms_rotated(apart, torch.tensor([ABSENT, 0.0, float("nan")]), 0.5).tolist() == [2, 1, 0]


def test_upright_boxes_are_suppressed_as_boxes_are(implementation: str) -> None:
    boxes, scores, groups = (each[0] for each in candidates(1, 80, seed=1))
    boxes = boxes.round()
    boxes[:, 2:4] *= 2  # so that corners are whole numbers
    boxes[:, 4] = 0
    upright = torch.cat([boxes[:, :2] - boxes[:, 2:4] / 2, boxes[:, :2] + boxes[:, 2:4] / 2], dim=1)
    want = batched_nms(upright, scores, groups, 0.3)
    assert torch.equal(batched_nms_rotated(boxes, scores, groups, 0.3), want)


def test_a_threshold_is_not_rounded(implementation: str) -> None:
    # The overlap is 3 / 10, as a float32 a little more than the 0.3 of Python.
    boxes = torch.tensor([[5.0, 0, 10, 1, 0], [1.5, 0, 3, 1, 0]])
    scores = torch.tensor([0.9, 0.8])
    assert nms_rotated(boxes, scores, 0.3).tolist() == [0]
    assert nms_rotated(boxes, scores, 0.30000002).tolist() == [0, 1]


def test_groups_ties_and_emptiness(implementation: str) -> None:
    same = torch.tensor([5.0, 5, 4, 2, 30]).expand(1, 5, 5)
    groups = torch.tensor([2**62, -(2**62), 2**62, 0, -(2**62)])
    found = nms_rotated_per_image(same, torch.full((1, 5), 0.5), groups, 0.5, 9)
    assert as_lists(*found) == [[0, 1, 3]]
    empty = torch.zeros(0, dtype=torch.int64)
    assert batched_nms_rotated(torch.zeros(0, 5), torch.zeros(0), empty, 0.5).shape == (0,)
    index, counts = nms_rotated_per_image(same, torch.full((1, 5), 0.5), groups, 0.5, 0)
    assert index.shape == (1, 0)
    assert counts.tolist() == [0]


def test_float64_is_served_by_the_reference() -> None:
    boxes, scores, groups = (each[0] for each in candidates(1, 40, seed=2))
    want = kept_by_shapely(boxes, scores, groups, 0.4)
    assert batched_nms_rotated(boxes.double(), scores.double(), groups, 0.4).tolist() == want


def test_is_traced_without_values() -> None:
    arguments = (*candidates(2, 6), 0.5, 7)
    torch.library.opcheck(torch.ops.benchsuite.nms_rotated_per_image.default, arguments)


@pytest.mark.parametrize(
    ("shapes", "limit", "message"),
    [
        (((2, 3, 4), (2, 3), (2, 3)), 1, "not \\(N, M, 5\\)"),
        (((2, 3, 5), (2, 3), (2,)), 1, "groups \\(2,\\)"),
        (((2, 3, 5), (2, 3), (2, 3)), -1, "limit=-1"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    shapes: tuple[tuple[int, ...], ...], limit: int, message: str
) -> None:
    boxes, scores, groups = (torch.zeros(shape) for shape in shapes)
    with pytest.raises(ValueError, match=message):
        nms_rotated_per_image(boxes, scores, groups.long(), 0.5, limit)
    with pytest.raises(ValueError, match="not \\(N, 5\\)"):
        batched_nms_rotated(boxes, scores, groups.long(), 0.5)
