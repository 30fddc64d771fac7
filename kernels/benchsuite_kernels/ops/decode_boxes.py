"""The boxes that deltas or distances make of reference boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.box_coding import SCALE_CLAMP, check_weights, coded_boxes
from benchsuite_kernels.ops.box_coding_launch import launch_coding
from benchsuite_kernels.ops.reference_boxes import check_references, reference_boxes
from benchsuite_kernels.ops.registration import register, register_gradient
from benchsuite_kernels.ops.tensors import stored


def decode_boxes(values: Tensor, boxes: Tensor, weights: Sequence[float] = ()) -> Tensor:
    """Boxes of deltas (Girshick et al., R-CNN, 2014, appendix C), or of distances (Tian et al.,
    FCOS, 2019).

    With weights, values are dx, dy, dw, dh, each divided by its weight: the centre moves by
    fractions of the reference's width and height, the sides grow by exp(dw) and exp(dh), at most
    62.5 times. Without, they are the distances left, top, right, bottom from the reference's centre
    in widths of the reference; what is negative counts as zero.

    Args:
        values: (..., 4) floating.
        boxes: (..., 4) references, xyxy, floating; broadcast to the shape of ``values``.
        weights: four, or none.

    Returns:
        The shape of ``values``, float32 (float64 where ``values`` are), xyxy, not clipped;
        differentiable in ``values`` and ``boxes``.

    Raises:
        ValueError: shapes that do not fit together, or another number of weights.
    """
    check_weights(weights)
    check_references("values", values, boxes)
    decoded: Tensor = _operator(values, boxes, weights)
    return decoded


def reference(values: Tensor, boxes: Tensor, weights: Sequence[float]) -> Tensor:
    """``decode_boxes`` in plain torch."""
    dtype = torch.float64 if values.dtype is torch.float64 else torch.float32
    return coded_boxes(values.to(dtype), boxes.to(dtype).expand(values.shape), weights)


def _native(values: Tensor, boxes: Tensor, weights: Sequence[float]) -> Tensor:
    if values.dtype is torch.float64:
        return NotImplemented
    rows, repeat = reference_boxes(boxes, values.shape)
    decoded = torch.empty(values.shape)
    extension().decode_boxes(
        stored(values.float()), rows, repeat, weights, decoded, torch.get_num_threads()
    )
    return decoded


def _cuda(values: Tensor, boxes: Tensor, weights: Sequence[float]) -> Tensor:
    if values.dtype is torch.float64:
        return NotImplemented
    return launch_coding("decode_boxes", values, boxes, weights)


def _fake(values: Tensor, boxes: Tensor, weights: Sequence[float]) -> Tensor:
    dtype = torch.float64 if values.dtype is torch.float64 else torch.float32
    return values.new_empty(values.shape, dtype=dtype)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    values, boxes, ctx.weights = inputs
    ctx.save_for_backward(values, boxes)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    values, boxes = ctx.saved_tensors
    wide, references = values.to(gradient.dtype), boxes.to(gradient.dtype).expand(values.shape)
    slopes = _slopes_of_deltas if ctx.weights else _slopes_of_distances
    of_values, of_boxes = slopes(gradient, wide, references, ctx.weights)
    return of_values.to(values), of_boxes.sum_to_size(boxes.shape).to(boxes), None


def _slopes_of_deltas(
    gradient: Tensor, values: Tensor, boxes: Tensor, weights: Sequence[float]
) -> tuple[Tensor, Tensor]:
    weight = values.new_tensor(weights)
    size = boxes[..., 2:] - boxes[..., :2]
    moves, changes = (values / weight).split(2, dim=-1)
    growth = changes.clamp(max=SCALE_CLAMP).exp()
    of_centers = gradient[..., :2] + gradient[..., 2:]
    of_halves = 0.5 * (gradient[..., 2:] - gradient[..., :2])
    of_changes = (of_halves * growth * size).where(changes <= SCALE_CLAMP, 0)
    of_sizes = of_centers * (moves + 0.5) + of_halves * growth
    return (
        torch.cat([of_centers * size, of_changes], dim=-1) / weight,
        torch.cat([of_centers - of_sizes, of_sizes], dim=-1),
    )


def _slopes_of_distances(
    gradient: Tensor, values: Tensor, boxes: Tensor, weights: Sequence[float]
) -> tuple[Tensor, Tensor]:
    side = boxes[..., 2:3] - boxes[..., :1]
    signed = torch.cat([-gradient[..., :2], gradient[..., 2:]], dim=-1)
    of_sides = (signed * values.clamp(min=0)).sum(dim=-1)
    of_centers = 0.5 * (gradient[..., :2] + gradient[..., 2:])
    of_left, of_top = of_centers.unbind(-1)
    of_boxes = torch.stack([of_left - of_sides, of_top, of_left + of_sides, of_top], dim=-1)
    return (signed * side).where(values > 0, 0), of_boxes


_operator = register(
    "decode_boxes(Tensor values, Tensor boxes, float[] weights) -> Tensor",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)
register_gradient("decode_boxes", _backward, _setup_context)
