"""Suppression of a batch of images against torchvision's, an image and a group at a time."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import Tensor

from benchsuite_kernels import reset_served, served
from benchsuite_kernels.cuda.emulation.build import emulation_problem
from benchsuite_kernels.cuda.emulation.order import ORDERS, thread_order
from benchsuite_kernels.dispatch import serving
from benchsuite_kernels.ops import batched_nms, nms_per_image

ABSENT = float("-inf")


def candidates(images: int, count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes around a few objects, scores (all different) and one of five groups each."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(max(count // 20, 1), 2, generator=generator) * 300
    objects = torch.cat([corners, corners + 20 + 80 * torch.rand_like(corners)], dim=1)
    chosen = torch.randint(0, len(objects), (images, count), generator=generator)
    boxes = objects[chosen] + torch.randn(images, count, 4, generator=generator) * 5
    scores = torch.stack([torch.randperm(count, generator=generator) for _ in range(images)])
    groups = torch.randint(0, 5, (images, count), generator=generator)
    return boxes, scores / count, groups


def kept_by_torchvision(
    boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float
) -> list[int]:
    kept: list[int] = []
    for group in groups.unique().tolist():
        members = torch.nonzero((groups == group) & (scores != ABSENT)).squeeze(1)
        best = torchvision.ops.nms(boxes[members], scores[members], threshold)
        kept += members[best].tolist()
    return sorted(kept, key=lambda place: -float(scores[place]))


def as_lists(index: Tensor, counts: Tensor) -> list[list[int]]:
    """What each image keeps, with a look at what lies behind."""
    assert index.dtype == counts.dtype == torch.int64
    rows = []
    for row, count in zip(index.tolist(), counts.tolist(), strict=True):
        assert row[count:] == [-1] * (len(row) - count)
        rows.append(row[:count])
    return rows


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("images", "count"), [(1, 1), (3, 2), (2, 65), (2, 640)])
def test_keeps_what_torchvision_keeps(
    implementation: str, images: int, count: int, threshold: float
) -> None:
    boxes, scores, groups = candidates(images, count)
    scores[:, ::7] = ABSENT
    want = [
        kept_by_torchvision(boxes[image], scores[image], groups[image], threshold)
        for image in range(images)
    ]
    assert as_lists(*nms_per_image(boxes, scores, groups, threshold, count)) == want
    assert as_lists(*nms_per_image(boxes, scores, groups, threshold, count + 9)) == want
    few = as_lists(*nms_per_image(boxes, scores, groups, threshold, 10))
    assert few == [kept[:10] for kept in want]


def test_more_candidates_than_a_chunk_of_the_cuda_kernel(implementation: str) -> None:
    boxes, scores, groups = candidates(1, 9000)
    boxes[:, :, 2:] -= 15  # smaller, so that more than 1024 stay
    want = kept_by_torchvision(boxes[0], scores[0], groups[0], 0.5)
    assert len(want) > 1024
    assert as_lists(*nms_per_image(boxes, scores, groups, 0.5, 9000)) == [want]
    assert as_lists(*nms_per_image(boxes, scores, groups, 0.5, 1000)) == [want[:1000]]


def test_a_hundred_thousand_candidates(implementation: str) -> None:
    boxes, scores, groups = candidates(1, 100_000)
    groups = torch.arange(100_000)[None] % 211 - 100
    best = scores[0].argsort(descending=True)[:40_000]
    kept = kept_by_torchvision(boxes[0, best], scores[0, best], groups[0, best], 0.5)
    want = best[kept][:6000].tolist()
    assert len(want) == 6000
    assert as_lists(*nms_per_image(boxes, scores, groups, 0.5, 6000)) == [want]


@pytest.mark.parametrize("order", ORDERS)
def test_the_order_of_threads_changes_nothing(order: str) -> None:
    if problem := emulation_problem():
        pytest.skip(problem)
    boxes, scores, groups = candidates(2, 300)
    with serving("emulated"), thread_order(order, 3):
        found = nms_per_image(boxes, scores, groups, 0.5, 200)
    want = [
        kept_by_torchvision(boxes[image], scores[image], groups[image], 0.5) for image in (0, 1)
    ]
    assert as_lists(*found) == [kept[:200] for kept in want]


def test_groups_may_be_shared_by_all_images(implementation: str) -> None:
    boxes, scores, groups = candidates(3, 40)
    shared = nms_per_image(boxes, scores, groups[0], 0.3, 20)
    repeated = nms_per_image(boxes, scores, groups[0].repeat(3, 1), 0.3, 20)
    assert as_lists(*shared) == as_lists(*repeated)


def test_absent_candidates_may_hold_anything(implementation: str) -> None:
    nan, infinity = float("nan"), float("inf")
    boxes = torch.tensor([[[nan] * 4, [0.0, 0, 9, 9], [-infinity, 0, infinity, 9], [0.0, 0, 9, 9]]])
    scores = torch.tensor([[ABSENT, 0.1, ABSENT, 0.2]])
    groups = torch.tensor([[2**62, 0, 0, 0]])
    assert as_lists(*nms_per_image(boxes, scores, groups, 0.5, 3)) == [[3]]
    scores.fill_(ABSENT)
    assert as_lists(*nms_per_image(boxes, scores, groups, 0.5, 3)) == [[]]


def test_ties_nan_and_negative_zero(implementation: str) -> None:
    nan = float("nan")
    apart = torch.arange(6.0)[:, None] * 10 + torch.tensor([0.0, 0, 5, 5])
    scores = torch.tensor([[-0.0, 0.0, -0.0, nan, float("inf"), nan]])
    groups = torch.zeros(1, 6, dtype=torch.int64)
    assert as_lists(*nms_per_image(apart[None], scores, groups, 0.5, 6)) == [[3, 5, 4, 0, 1, 2]]
    apart[3, 1] = nan  # its overlaps are NaN, which drops nothing
    same = apart[3:4].expand(1, 6, 4)
    assert as_lists(*nms_per_image(same, scores, groups, 0.5, 6)) == [[3, 5, 4, 0, 1, 2]]


def test_identical_boxes_leave_one_a_group(implementation: str) -> None:
    boxes = torch.tensor([0.0, 0, 9, 9]).expand(1, 130, 4)
    groups = torch.tensor([-(2**63), 2**63 - 1, 0, -1]).repeat(33)[:130]
    scores = torch.full((1, 130), 0.5)
    assert as_lists(*nms_per_image(boxes, scores, groups, 0.5, 99)) == [[0, 1, 2, 3]]


def test_nothing_in_nothing_out(implementation: str) -> None:
    for images, count in [(0, 5), (2, 0), (0, 0)]:
        groups = torch.zeros(images, count, dtype=torch.int64)
        boxes, scores = torch.zeros(images, count, 4), torch.zeros(images, count)
        index, counts = nms_per_image(boxes, scores, groups, 0.5, 4)
        assert index.shape == (images, 4)
        assert as_lists(index, counts) == [[]] * images
    index, counts = nms_per_image(*candidates(2, 5), 0.5, 0)
    assert index.shape == (2, 0)
    assert counts.tolist() == [0, 0]


def test_inputs_that_are_not_contiguous(implementation: str) -> None:
    boxes, scores, groups = candidates(2, 50)
    want = as_lists(*nms_per_image(boxes, scores, groups, 0.5, 50))
    strided = boxes.permute(2, 1, 0).contiguous().permute(2, 1, 0)
    spaced = torch.stack([scores, scores], dim=2)[..., 0]
    turned = groups.T.contiguous().T
    assert as_lists(*nms_per_image(strided, spaced, turned, 0.5, 50)) == want


def test_float64_is_served_by_the_reference() -> None:
    boxes, scores, groups = candidates(2, 60)
    reset_served()
    found = nms_per_image(boxes.double(), scores.double(), groups, 0.5, 60)
    assert served() == {"nms_per_image": "reference"}
    want = [
        kept_by_torchvision(boxes[image].double(), scores[image].double(), groups[image], 0.5)
        for image in range(2)
    ]
    assert as_lists(*found) == want


def test_one_image_is_the_ragged_form(implementation: str) -> None:
    boxes, scores, groups = candidates(1, 300)
    kept = batched_nms(boxes[0], scores[0], groups[0], 0.4)
    assert as_lists(*nms_per_image(boxes, scores, groups, 0.4, 300)) == [kept.tolist()]


def test_is_traced_without_values() -> None:
    arguments = (*candidates(2, 30), 0.5, 7)
    torch.library.opcheck(torch.ops.benchsuite.nms_per_image.default, arguments)


@pytest.mark.parametrize(
    ("shapes", "limit", "message"),
    [
        (((2, 3, 5), (2, 3), (2, 3)), 1, "not \\(N, M, 4\\)"),
        (((3, 4), (3,), (3,)), 1, "not \\(N, M, 4\\)"),
        (((2, 3, 4), (2, 3), (2,)), 1, "groups \\(2,\\)"),
        (((2, 3, 4), (2, 3), (2, 3)), -1, "limit=-1"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    shapes: tuple[tuple[int, ...], ...], limit: int, message: str
) -> None:
    boxes, scores, groups = (torch.zeros(shape) for shape in shapes)
    with pytest.raises(ValueError, match=message):
        nms_per_image(boxes, scores, groups.long(), 0.5, limit)
