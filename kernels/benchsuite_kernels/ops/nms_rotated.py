"""Greedy non-maximum suppression of the rotated boxes of one image.

Source: as of ``batched_nms``; the boxes are Detectron2's (``rotated_boxes``).
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchsuite_kernels.ops.nms_rotated_per_image import nms_rotated_per_image


def batched_nms_rotated(
    boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float
) -> Tensor:
    """``batched_nms`` of rotated boxes, whose overlaps are those of ``pairwise_iou_rotated``.

    How many are kept is not known before: on a GPU the host waits for it. ``nms_rotated_per_image``
    has an output of fixed size instead.

    Args:
        boxes: (N, 5) floating, centre x, centre y, width, height, angle (see ``rotated_boxes``).
        scores: (N,), of the same dtype; NaN counts as the highest.
        groups: (N,) int64, any values: boxes of different groups do not drop each other.
        iou_threshold: 0 to 1; boxes that overlap a better one more than this (strictly) are
            dropped.

    Returns:
        (K,) int64: indices of the kept boxes by descending score, equal scores by ascending index.

    Raises:
        ValueError: shapes that do not fit together.
    """
    count = len(boxes)
    if boxes.shape != (count, 5) or scores.shape != (count,) or groups.shape != (count,):
        raise ValueError(
            f"boxes {tuple(boxes.shape)}, scores {tuple(scores.shape)} and groups "
            f"{tuple(groups.shape)} are not (N, 5), (N,) and (N,)"
        )
    # In the form of fixed size a score of minus infinity marks what is absent.
    finite = scores.clamp(min=torch.finfo(scores.dtype).min)
    index, counts = nms_rotated_per_image(
        boxes[None], finite[None], groups[None], iou_threshold, count
    )
    return index[0, : int(counts)]


def nms_rotated(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """``batched_nms_rotated`` of boxes that are all of one group."""
    groups = torch.zeros(scores.shape, dtype=torch.int64, device=scores.device)
    return batched_nms_rotated(boxes, scores, groups, iou_threshold)
