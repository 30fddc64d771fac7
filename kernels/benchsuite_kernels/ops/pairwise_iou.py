"""Intersection over union of every box with every other.

Source: Everingham et al., "The PASCAL visual object classes challenge" (2010), section 4.2, without
its +1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.tensors import stored

# As in pairwise_iou.cu.
ROWS = 32
COLUMNS = 256


def pairwise_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """The overlaps of ``boxes`` with ``others``, for use without gradient.

    Args:
        boxes: (A, 4) floating, xyxy.
        others: (B, 4), of the same dtype.

    Returns:
        (A, B) of their dtype, 0 to 1. 0 where two boxes do not overlap, neither has an area, or a
        coordinate is NaN.

    Raises:
        ValueError: shapes or dtypes that do not fit together.
    """
    if boxes.shape != (len(boxes), 4) or others.shape != (len(others), 4):
        raise ValueError(
            f"boxes {tuple(boxes.shape)} and others {tuple(others.shape)} are not (A, 4) and (B, 4)"
        )
    if boxes.dtype is not others.dtype:
        raise ValueError(f"boxes are {boxes.dtype}, others {others.dtype}")
    overlaps: Tensor = _operator(boxes, others)
    return overlaps


def reference(boxes: Tensor, others: Tensor) -> Tensor:
    """``pairwise_iou`` in plain torch."""
    top_left = boxes[:, None, :2].maximum(others[:, :2])
    bottom_right = boxes[:, None, 2:].minimum(others[:, 2:])
    common = (bottom_right - top_left).clamp(min=0).prod(dim=-1)
    area, other_area = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (boxes, others))
    overlaps = common / (area[:, None] + other_area - common)
    return overlaps.where(overlaps > 0, 0)


def launch_pairwise(kernel: str, boxes: Tensor, others: Tensor) -> Tensor:
    """(A, B) float32 by a kernel of ``pairwise_iou.cu``."""
    count, other_count = len(boxes), len(others)
    overlaps = torch.empty((count, other_count), dtype=torch.float32, device=boxes.device)
    launch(
        "pairwise_iou.cu",
        kernel,
        grid=(-(-count // ROWS) * -(-other_count // COLUMNS), 1, 1),
        block=(COLUMNS, 1, 1),
        arguments=(stored(boxes), stored(others), overlaps, count, other_count),
    )
    return overlaps


def _native(boxes: Tensor, others: Tensor) -> Tensor:
    if boxes.dtype is not torch.float32:
        return NotImplemented
    overlaps = torch.empty((len(boxes), len(others)))
    extension().pairwise_iou(stored(boxes), stored(others), overlaps, torch.get_num_threads())
    return overlaps


def _cuda(boxes: Tensor, others: Tensor) -> Tensor:
    if boxes.dtype is not torch.float32:
        return NotImplemented
    return launch_pairwise("pairwise_iou_upright", boxes, others)


def _fake(boxes: Tensor, others: Tensor) -> Tensor:
    return boxes.new_empty((boxes.shape[0], others.shape[0]))


_operator = register(
    "pairwise_iou(Tensor boxes, Tensor others) -> Tensor",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)
