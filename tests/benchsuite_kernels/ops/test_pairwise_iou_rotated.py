"""Overlaps of rotated boxes, against polygons clipped by shapely."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from shapely import Polygon
from torch import Tensor

from benchsuite_kernels.columns.rotated_boxes import corners, cosine_and_sine
from benchsuite_kernels.ops import pairwise_iou, pairwise_iou_rotated
from benchsuite_kernels.ops.rotated_boxes import prepared


def random_boxes(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    scale = torch.tensor([60.0, 60.0, 40.0, 40.0, 720.0])
    return torch.rand(count, 5, generator=generator) * scale - torch.tensor([0.0, 0, 0, 0, 360])


def by_shapely(boxes: Tensor, others: Tensor) -> Tensor:
    first, second = (
        [Polygon(each) for each in corners(boxes.double().numpy())] for boxes in (boxes, others)
    )
    return torch.tensor(
        [[a.intersection(b).area / a.union(b).area for b in second] for a in first],
        dtype=torch.float64,
    )


@pytest.mark.parametrize(("count", "others"), [(1, 1), (9, 40), (33, 5)])
def test_equals_shapely(implementation: str, count: int, others: int) -> None:
    first, second = random_boxes(count, 0), random_boxes(others, 1)
    found = pairwise_iou_rotated(first, second)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), by_shapely(first, second), rtol=0, atol=1e-6)


def test_float64_is_exact_to_its_last_digits(implementation: str) -> None:
    first, second = random_boxes(8, 2).double(), random_boxes(8, 3).double()
    found = pairwise_iou_rotated(first, second)
    torch.testing.assert_close(found, by_shapely(first, second), rtol=0, atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 90.0, -180.0, 270.0, 3600.0])
def test_upright_boxes_overlap_as_boxes_do(implementation: str, angle: float) -> None:
    boxes = random_boxes(20, 4)
    boxes[:, 4] = angle
    width, height = boxes[:, 2:4].T if angle % 180 == 0 else boxes[:, 2:4].flip(1).T
    half = torch.stack([width, height], dim=1) / 2
    upright = torch.cat([boxes[:, :2] - half, boxes[:, :2] + half], dim=1)
    torch.testing.assert_close(
        pairwise_iou_rotated(boxes, boxes), pairwise_iou(upright, upright), rtol=0, atol=1e-5
    )


def test_a_cross_by_hand(implementation: str) -> None:
    bar = torch.tensor([[10.0, 10, 6, 2, 0], [10, 10, 6, 2, 90], [10, 10, 6, 2, 180]])
    found = pairwise_iou_rotated(bar[:1], bar)[0].tolist()
    assert found == [1, pytest.approx(4 / 20), 1]


def test_what_has_no_area_or_is_not_finite_overlaps_nothing(implementation: str) -> None:
    whole = [5.0, 5, 4, 4, 30]
    rows = [[5.0, 5, 0, 4, 30], [5, 5, 4, -4, 30], [math.nan, 5, 4, 4, 30], [5, 5, 4, 4, math.inf]]
    found = pairwise_iou_rotated(torch.tensor(rows), torch.tensor([whole, *rows]))
    assert not found.any()
    assert not pairwise_iou_rotated(torch.tensor([whole]), torch.tensor(rows)).any()


def test_empty(implementation: str) -> None:
    boxes = random_boxes(3, 5)
    assert pairwise_iou_rotated(boxes[:0], boxes).shape == (0, 3)
    assert pairwise_iou_rotated(boxes, boxes[:0]).shape == (3, 0)


def test_angles_are_those_of_the_evaluation() -> None:
    degrees = np.concatenate([np.arange(-720, 721, 15.0), np.linspace(-400, 400, 101)])
    boxes = torch.zeros(len(degrees), 5, dtype=torch.float64)
    boxes[:, 4] = torch.from_numpy(degrees)
    found = prepared(boxes)[:, 2:4].numpy()
    want = np.stack(cosine_and_sine(degrees), axis=1)
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-15)
    quarters = degrees % 90 == 0
    assert set(found[quarters].ravel()) <= {-1.0, 0.0, 1.0}


def test_is_traced_without_values() -> None:
    boxes = random_boxes(5, 3)
    torch.library.opcheck(torch.ops.benchsuite.pairwise_iou_rotated.default, (boxes, boxes))


def test_what_does_not_fit_is_refused() -> None:
    boxes = random_boxes(5, 3)
    with pytest.raises(ValueError, match="not \\(A, 5\\) and \\(B, 5\\)"):
        pairwise_iou_rotated(boxes, boxes[:, :4])
    with pytest.raises(ValueError, match=r"torch\.float32, others torch\.float64"):
        pairwise_iou_rotated(boxes, boxes.double())
