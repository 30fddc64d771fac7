"""Overlaps of every box with every other, against torchvision's and worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torchvision

from benchsuite_kernels import reset_served, served
from benchsuite_kernels.ops import pairwise_iou


def random_boxes(count: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=generator) * 100
    return torch.cat([corners, corners + torch.rand(count, 2, generator=generator) * 60], dim=1)


@pytest.mark.parametrize(("count", "others"), [(1, 1), (3, 70), (40, 33), (65, 300)])
def test_equals_torchvision(implementation: str, count: int, others: int) -> None:
    first, second = random_boxes(count, 0), random_boxes(others, 1)
    found = pairwise_iou(first, second)
    assert found.shape == (count, others)
    want = torchvision.ops.box_iou(first.double(), second.double())
    torch.testing.assert_close(found.double(), want, rtol=0, atol=1e-6)


def test_by_hand(implementation: str) -> None:
    boxes = torch.tensor([[0.0, 0, 4, 4]])
    others = torch.tensor([[0.0, 0, 4, 4], [2, 2, 6, 6], [4, 0, 8, 4], [5, 5, 6, 6], [1, 1, 3, 3]])
    assert pairwise_iou(boxes, others).tolist() == [[1, 4 / torch.tensor(28.0), 0, 0, 0.25]]


def test_what_has_no_overlap_has_zero(implementation: str) -> None:
    nan, infinity = math.nan, math.inf
    boxes = torch.tensor([[1.0, 1, 1, 1], [nan, 0, 9, 9], [0, 0, 9, nan], [5, 5, 0, 0]])
    others = torch.tensor([[1.0, 1, 1, 1], [0, 0, 9, 9], [nan] * 4, [0, 0, infinity, infinity]])
    assert not pairwise_iou(boxes, others).any()
    assert not pairwise_iou(others, boxes).any()


def test_empty_and_not_contiguous(implementation: str) -> None:
    boxes = random_boxes(6, 2)
    assert pairwise_iou(boxes[:0], boxes).shape == (0, 6)
    assert pairwise_iou(boxes, boxes[:0]).shape == (6, 0)
    assert torch.equal(
        pairwise_iou(boxes.T.contiguous().T, boxes[::2]), pairwise_iou(boxes, boxes)[:, ::2]
    )


def test_float64_is_served_by_the_reference() -> None:
    boxes = random_boxes(5, 3).double()
    reset_served()
    found = pairwise_iou(boxes, boxes)
    assert served() == {"pairwise_iou": "reference"}
    torch.testing.assert_close(found, torchvision.ops.box_iou(boxes, boxes))


def test_is_traced_without_values() -> None:
    boxes = random_boxes(5, 3)
    torch.library.opcheck(torch.ops.benchsuite.pairwise_iou.default, (boxes, boxes))


def test_what_does_not_fit_is_refused() -> None:
    boxes = random_boxes(5, 3)
    with pytest.raises(ValueError, match="not \\(A, 4\\) and \\(B, 4\\)"):
        pairwise_iou(boxes, boxes[:, :3])
    with pytest.raises(ValueError, match=r"torch\.float32, others torch\.float64"):
        pairwise_iou(boxes, boxes.double())
