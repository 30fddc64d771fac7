"""Boxes of deltas and distances, against torchvision's coders and torch's own gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder as TorchvisionBoxCoder

from benchsuite_kernels import reset_served, served
from benchsuite_kernels.ops import decode_boxes
from benchsuite_kernels.ops.decode_boxes import reference

WEIGHTS = (10.0, 10.0, 5.0, 5.0)


def inputs(rows: int, classes: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Values (rows, classes, 4) and references (rows, 4)."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(rows, 2, generator=generator) * 500
    sizes = 4 + torch.rand(rows, 2, generator=generator) * 200
    values = torch.randn(rows, classes, 4, generator=generator) * 3
    return values, torch.cat([corners, corners + sizes], dim=1)


@pytest.mark.parametrize(("rows", "classes"), [(1, 1), (7, 3), (300, 5)])
def test_deltas_equal_torchvision(implementation: str, rows: int, classes: int) -> None:
    values, boxes = inputs(rows, classes)
    found = decode_boxes(values, boxes[:, None], WEIGHTS)
    want = TorchvisionBoxCoder(WEIGHTS).decode(values.flatten(1), [boxes])
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, want, rtol=1e-5, atol=1e-3)


def test_distances_by_hand(implementation: str) -> None:
    point = torch.tensor([[8.0, 16, 24, 32]])  # centre (16, 24), unit 16
    found = decode_boxes(torch.tensor([[1.0, 0.5, 2, -3]]), point)
    assert found.tolist() == [[0, 16, 48, 24]]


@pytest.mark.parametrize("weights", [WEIGHTS, ()])
def test_references_are_broadcast(implementation: str, weights: tuple[float, ...]) -> None:
    values = inputs(6, 5)[0].reshape(2, 3, 5, 4)
    boxes = inputs(6, 1)[1].reshape(2, 3, 1, 4)
    for references in (
        boxes,  # an image and a row each
        boxes[:1, :, :],  # rows that images share
        boxes[0, 0],  # one for all
        boxes[:, :1],  # an image each
        boxes.expand(2, 3, 5, 4)[0, 0],  # the innermost axis alone
        boxes[:, :1].expand(2, 1, 5, 4),  # between two that are there
    ):
        want = reference(values, references, weights)
        torch.testing.assert_close(decode_boxes(values, references, weights), want)


def test_growth_is_bounded_and_nan_stays(implementation: str) -> None:
    box = torch.tensor([[0.0, 0, 10, 20]])
    values = torch.tensor([[0.0, 0, 1e30, math.inf], [math.nan, 0, 0, 0], [0, 0, -math.inf, 0]])
    found = decode_boxes(values, box, (1.0, 1, 1, 1))
    sides = found[:, 2:] - found[:, :2]
    torch.testing.assert_close(sides[0], torch.tensor([625.0, 1250.0]))
    assert found[1].isnan().tolist() == [True, False, True, False]
    assert sides[2].tolist() == [0, 20]
    assert decode_boxes(values[1:2], box).isnan().tolist() == [[True, False, False, False]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened(implementation: str, dtype: torch.dtype) -> None:
    values, boxes = inputs(9, 2)
    found = decode_boxes(values.to(dtype), boxes[:, None], WEIGHTS)
    assert found.dtype == torch.float32
    want = decode_boxes(values.to(dtype).float(), boxes[:, None], WEIGHTS)
    assert torch.equal(found, want)


def test_empty_and_not_contiguous(implementation: str) -> None:
    values, boxes = inputs(6, 2)
    assert decode_boxes(values[:0], boxes[:0, None], WEIGHTS).shape == (0, 2, 4)
    assert decode_boxes(values[:, :0], boxes[:, None], WEIGHTS).shape == (6, 0, 4)
    turned = values.permute(2, 1, 0).contiguous().permute(2, 1, 0)
    strided = torch.cat([boxes, boxes], dim=1)[:, None, :4]
    want = decode_boxes(values, boxes[:, None], WEIGHTS)
    assert torch.equal(decode_boxes(turned, strided, WEIGHTS), want)


@pytest.mark.parametrize("weights", [WEIGHTS, ()])
def test_gradients_are_those_of_the_formula(weights: tuple[float, ...]) -> None:
    values, boxes = inputs(4, 3, seed=1)
    values, boxes = values.double().requires_grad_(), boxes.double()[:, None].requires_grad_()
    assert torch.autograd.gradcheck(lambda v, b: decode_boxes(v, b, weights), (values, boxes))


@pytest.mark.parametrize("weights", [WEIGHTS, ()])
def test_gradients_of_the_kernels(implementation: str, weights: tuple[float, ...]) -> None:
    values, boxes = inputs(5, 2, seed=2)
    values[0, 0] = torch.tensor([0.0, 0.0, 100.0, 100.0])  # beyond the bound: no slope
    slopes = []
    for decode in (decode_boxes, reference):
        own, references = values.clone().requires_grad_(), boxes[:, None].clone().requires_grad_()
        (decode(own, references, weights) ** 2).sum().backward()
        slopes.append((own.grad, references.grad))
    if weights:
        assert not slopes[0][0][0, 0, 2:].any()
    for found, want in zip(*slopes, strict=True):
        torch.testing.assert_close(found, want, rtol=1e-4, atol=1e-2)


def test_float64_is_served_by_the_reference() -> None:
    values, boxes = inputs(3, 2)
    reset_served()
    found = decode_boxes(values.double(), boxes[:, None], WEIGHTS)
    assert served() == {"decode_boxes": "reference"}
    assert found.dtype == torch.float64


def test_is_traced_without_values() -> None:
    values, boxes = inputs(3, 2)
    torch.library.opcheck(
        torch.ops.benchsuite.decode_boxes.default,
        (values.requires_grad_(), boxes[:, None], [1.0] * 4),
    )


def test_what_does_not_fit_is_refused() -> None:
    values, boxes = inputs(3, 2)
    with pytest.raises(ValueError, match="3 weights"):
        decode_boxes(values, boxes[:, None], (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match=r"are not \(\.\.\., 4\)"):
        decode_boxes(values[..., :3], boxes[:, None], WEIGHTS)
    with pytest.raises(
        ValueError, match="boxes \\(3, 4\\) do not broadcast to values \\(3, 2, 4\\)"
    ):
        decode_boxes(values, boxes, WEIGHTS)
    with pytest.raises(ValueError, match="do not broadcast"):
        decode_boxes(values[0], boxes[:, None], WEIGHTS)
