"""The deltas or distances that make boxes of reference boxes.

Source: Girshick et al., R-CNN (2014), appendix C, for deltas; Tian et al., "FCOS" (2019), section
3.1, for distances.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.box_coding import check_weights
from benchsuite_kernels.ops.box_coding_launch import launch_coding
from benchsuite_kernels.ops.reference_boxes import check_references, reference_boxes
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.tensors import stored


def encode_boxes(targets: Tensor, boxes: Tensor, weights: Sequence[float] = ()) -> Tensor:
    """What ``decode_boxes`` makes ``targets`` of, for use without gradient.

    Args:
        targets: (..., 4), xyxy, floating; for deltas of positive width and height.
        boxes: (..., 4) references, likewise; broadcast to the shape of ``targets``.
        weights: four, for deltas; or none, for distances, which are negative where the reference's
            centre lies outside.

    Returns:
        The shape of ``targets``, float32 (float64 where ``targets`` are).

    Raises:
        ValueError: shapes that do not fit together, or another number of weights.
    """
    check_weights(weights)
    check_references("targets", targets, boxes)
    values: Tensor = _operator(targets, boxes, weights)
    return values


def reference(targets: Tensor, boxes: Tensor, weights: Sequence[float]) -> Tensor:
    """``encode_boxes`` in plain torch."""
    dtype = torch.float64 if targets.dtype is torch.float64 else torch.float32
    targets, boxes = targets.to(dtype), boxes.to(dtype).expand(targets.shape)
    if not weights:
        center = 0.5 * (boxes[..., :2] + boxes[..., 2:])
        distances = torch.cat([center - targets[..., :2], targets[..., 2:] - center], dim=-1)
        return distances / (boxes[..., 2:3] - boxes[..., :1])
    size, target_size = boxes[..., 2:] - boxes[..., :2], targets[..., 2:] - targets[..., :2]
    center, target_center = boxes[..., :2] + 0.5 * size, targets[..., :2] + 0.5 * target_size
    moves = (target_center - center) / size
    deltas = torch.cat([moves, (target_size / size).log()], dim=-1)
    return deltas * deltas.new_tensor(weights)


def _native(targets: Tensor, boxes: Tensor, weights: Sequence[float]) -> Tensor:
    if targets.dtype is torch.float64:
        return NotImplemented
    rows, repeat = reference_boxes(boxes, targets.shape)
    values = torch.empty(targets.shape)
    extension().encode_boxes(
        stored(targets.float()), rows, repeat, weights, values, torch.get_num_threads()
    )
    return values


def _cuda(targets: Tensor, boxes: Tensor, weights: Sequence[float]) -> Tensor:
    if targets.dtype is torch.float64:
        return NotImplemented
    return launch_coding("encode_boxes", targets.float(), boxes, weights)


def _fake(targets: Tensor, boxes: Tensor, weights: Sequence[float]) -> Tensor:
    dtype = torch.float64 if targets.dtype is torch.float64 else torch.float32
    return targets.new_empty(targets.shape, dtype=dtype)


_operator = register(
    "encode_boxes(Tensor targets, Tensor boxes, float[] weights) -> Tensor",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)
