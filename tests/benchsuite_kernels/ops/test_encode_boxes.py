"""Deltas and distances of boxes, against torchvision's coder."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torchvision.models.detection._utils import encode_boxes as torchvision_encode_boxes

from benchsuite_kernels import reset_served, served
from benchsuite_kernels.ops import decode_boxes, encode_boxes

WEIGHTS = (10.0, 10.0, 5.0, 5.0)


def random_boxes(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=generator) * 500
    return torch.cat([corners, corners + 4 + torch.rand(count, 2, generator=generator) * 200], 1)


@pytest.mark.parametrize("count", [1, 7, 1500])
def test_deltas_equal_torchvision(implementation: str, count: int) -> None:
    targets, boxes = random_boxes(count, 0), random_boxes(count, 1)
    found = encode_boxes(targets, boxes, WEIGHTS)
    want = torchvision_encode_boxes(targets, boxes, torch.tensor(WEIGHTS))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, want, rtol=1e-5, atol=1e-4)


def test_by_hand(implementation: str) -> None:
    box = torch.tensor([[10.0, 20, 30, 60]])  # 20 x 40 around (20, 40)
    target = torch.tensor([[2.0, 28, 42, 48]])  # 40 x 20 around (22, 38)
    torch.testing.assert_close(
        encode_boxes(target, box, WEIGHTS),
        torch.tensor([[1.0, -0.5, 5 * math.log(2), 5 * math.log(0.5)]]),
    )
    # The centre (20, 40) lies 18, 12, 22 and 8 from the target's sides; the unit is 20.
    torch.testing.assert_close(encode_boxes(target, box), torch.tensor([[0.9, 0.6, 1.1, 0.4]]))


@pytest.mark.parametrize("weights", [WEIGHTS, ()])
def test_decoding_undoes_encoding(implementation: str, weights: tuple[float, ...]) -> None:
    boxes = random_boxes(40, 2)
    half = (boxes[:, 2:] - boxes[:, :2]) / 2
    center = boxes[:, :2] + half
    targets = torch.cat([center - 0.4 * half, center + 2 * half], dim=1)  # round the centre
    found = decode_boxes(encode_boxes(targets, boxes, weights), boxes, weights)
    torch.testing.assert_close(found, targets, rtol=1e-5, atol=1e-3)


def test_references_are_broadcast(implementation: str) -> None:
    targets, boxes = random_boxes(12, 3).reshape(3, 4, 4), random_boxes(3, 4)
    found = encode_boxes(targets, boxes[:, None], WEIGHTS)
    want = encode_boxes(targets, boxes[:, None].expand(3, 4, 4).contiguous(), WEIGHTS)
    assert torch.equal(found, want)


def test_empty(implementation: str) -> None:
    assert encode_boxes(torch.zeros(0, 4), torch.zeros(0, 4), WEIGHTS).shape == (0, 4)


def test_float64_is_served_by_the_reference() -> None:
    targets, boxes = random_boxes(3, 5).double(), random_boxes(3, 6)
    reset_served()
    found = encode_boxes(targets, boxes, WEIGHTS)
    assert served() == {"encode_boxes": "reference"}
    assert found.dtype == torch.float64


def test_is_traced_without_values() -> None:
    arguments = (random_boxes(3, 5), random_boxes(3, 6), [1.0] * 4)
    torch.library.opcheck(torch.ops.benchsuite.encode_boxes.default, arguments)


def test_what_does_not_fit_is_refused() -> None:
    boxes = random_boxes(3, 5)
    with pytest.raises(ValueError, match="2 weights"):
        encode_boxes(boxes, boxes, (1.0, 1.0))
    with pytest.raises(ValueError, match=r"are not \(\.\.\., 4\)"):
        encode_boxes(boxes, boxes[:, :3], WEIGHTS)
