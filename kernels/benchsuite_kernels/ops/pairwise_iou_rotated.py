"""Intersection over union of every rotated box with every other."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchsuite_kernels.columns.rotated_iou_reference import PAIRS_AT_ONCE, pair_overlaps
from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.pairwise_iou import launch_pairwise
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.rotated_boxes import prepared


def pairwise_iou_rotated(boxes: Tensor, others: Tensor) -> Tensor:
    """The overlaps of two sets of rectangles as they are drawn, for use without gradient.

    Computed in float64 by ``columns.rotated_iou``'s method. (Detectron2's function of this name is
    in float32 and widens its comparisons by 1e-5, so that its values are off by up to about 1e-4.)

    Args:
        boxes: (A, 5) floating, centre x, centre y, width, height, angle (see ``rotated_boxes``).
        others: (B, 5), of the same dtype.

    Returns:
        (A, B) of their dtype, 0 to 1. A box without an area, or with a number that is not finite,
        overlaps nothing.

    Raises:
        ValueError: shapes or dtypes that do not fit together.
    """
    if boxes.shape != (len(boxes), 5) or others.shape != (len(others), 5):
        raise ValueError(
            f"boxes {tuple(boxes.shape)} and others {tuple(others.shape)} are not (A, 5) and (B, 5)"
        )
    if boxes.dtype is not others.dtype:
        raise ValueError(f"boxes are {boxes.dtype}, others {others.dtype}")
    overlaps: Tensor = _operator(boxes, others)
    return overlaps


def reference(boxes: Tensor, others: Tensor) -> Tensor:
    """``pairwise_iou_rotated`` in NumPy."""
    rows, columns = (prepared(each).cpu().numpy() for each in (boxes, others))
    overlaps = np.zeros((len(rows), len(columns)))
    step = max(PAIRS_AT_ONCE // max(len(columns), 1), 1)
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        pairs = np.repeat(part, len(columns), axis=0), np.tile(columns, (len(part), 1))
        found = pair_overlaps(*pairs, np.zeros(len(pairs[0]), np.bool_))
        overlaps[start : start + step] = found.reshape(len(part), len(columns))
    return torch.from_numpy(np.fmax(overlaps, 0)).to(boxes)


def _native(boxes: Tensor, others: Tensor) -> Tensor:
    if boxes.dtype is not torch.float32:
        return NotImplemented
    overlaps = torch.empty((len(boxes), len(others)))
    extension().pairwise_iou_rotated(
        prepared(boxes), prepared(others), overlaps, torch.get_num_threads()
    )
    return overlaps


def _cuda(boxes: Tensor, others: Tensor) -> Tensor:
    if boxes.dtype is not torch.float32:
        return NotImplemented
    return launch_pairwise("pairwise_iou_rotated", prepared(boxes), prepared(others))


def _fake(boxes: Tensor, others: Tensor) -> Tensor:
    return boxes.new_empty((boxes.shape[0], others.shape[0]))


_operator = register(
    "pairwise_iou_rotated(Tensor boxes, Tensor others) -> Tensor",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)
