"""Greedy non-maximum suppression of rotated boxes, a batch of images at once, of fixed size.

Source: as of ``batched_nms``; the boxes are Detectron2's (``rotated_boxes``).
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.candidates import checked_groups
from benchsuite_kernels.ops.nms_launch import keep_best_per_image, not_above
from benchsuite_kernels.ops.pairwise_iou_rotated import reference as pairwise_reference
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.rotated_boxes import prepared
from benchsuite_kernels.ops.tensors import stored


def nms_rotated_per_image(
    boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float, limit: int
) -> tuple[Tensor, Tensor]:
    """``nms_per_image`` of rotated boxes, whose overlaps are those of ``pairwise_iou_rotated``.

    Args:
        boxes: (N, M, 5) floating, centre x, centre y, width, height, angle (see ``rotated_boxes``).
        scores: (N, M), of the same dtype; minus infinity marks an absent candidate.
        groups: (N, M) int64, any values; (M,) where images share them.
        iou_threshold: 0 to 1; boxes that overlap a better one of their image and group more than
            this (strictly) are dropped.
        limit: 0 or more.

    Returns:
        index: (N, limit) int64, the places of the kept candidates among the M by descending score,
            equal scores by ascending place; -1 behind the last.
        counts: (N,) int64, how many each image keeps.

    Raises:
        ValueError: shapes that do not fit together, or a negative limit.
    """
    groups = checked_groups(boxes, scores, groups, limit, 5)
    index, counts = _operator(boxes, scores, groups, iou_threshold, limit)
    return index, counts


def reference(
    boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float, limit: int
) -> tuple[Tensor, Tensor]:
    """``nms_rotated_per_image``, a kept box at a time."""
    index = torch.full((len(scores), limit), -1, dtype=torch.int64, device=scores.device)
    counts = torch.zeros(len(scores), dtype=torch.int64, device=scores.device)
    threshold = not_above(iou_threshold) if boxes.dtype is torch.float32 else iou_threshold
    for image in range(len(scores)):
        order = scores[image].argsort(descending=True, stable=True)
        left = order[scores[image, order] != float("-inf")]
        kept: list[Tensor] = []
        while len(left) and len(kept) < limit:
            best, left = left[:1], left[1:]
            kept.append(best)
            overlaps = pairwise_reference(boxes[image, best], boxes[image, left])[0]
            left = left[~((overlaps > threshold) & (groups[image, left] == groups[image, best]))]
        if kept:
            index[image, : len(kept)] = torch.cat(kept)
        counts[image] = len(kept)
    return index, counts


def _native(
    boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float, limit: int
) -> tuple[Tensor, Tensor]:
    if boxes.dtype is not torch.float32 or scores.dtype is not torch.float32:
        return NotImplemented
    images = len(scores)
    index = torch.empty((images, limit), dtype=torch.int64)
    counts = torch.empty(images, dtype=torch.int64)
    extension().nms_rotated_per_image(
        prepared(boxes),
        stored(scores),
        stored(groups),
        iou_threshold,
        index,
        counts,
        torch.get_num_threads(),
    )
    return index, counts


def _cuda(
    boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float, limit: int
) -> tuple[Tensor, Tensor]:
    if boxes.dtype is not torch.float32 or scores.dtype is not torch.float32:
        return NotImplemented
    return keep_best_per_image("rotated", prepared(boxes), scores, groups, iou_threshold, limit)


def _fake(
    boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float, limit: int
) -> tuple[Tensor, Tensor]:
    return groups.new_empty((scores.shape[0], limit)), groups.new_empty(scores.shape[0])


_operator = register(
    "nms_rotated_per_image(Tensor boxes, Tensor scores, Tensor groups, float iou_threshold,"
    " int limit) -> (Tensor, Tensor)",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)
