"""Greedy non-maximum suppression of a batch of images at once, of fixed size.

Source: as of ``batched_nms``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.batched_nms import reference as ragged_reference
from benchsuite_kernels.ops.candidates import checked_groups
from benchsuite_kernels.ops.nms_launch import keep_best_per_image
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.tensors import stored


def nms_per_image(
    boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float, limit: int
) -> tuple[Tensor, Tensor]:
    """``batched_nms`` of N images, of which each keeps its ``limit`` best boxes at most.

    Every image has room for M candidates; one whose score is minus infinity is absent, whatever its
    box and group are. Shapes do not depend on values, so nothing waits for the device.

    Args:
        boxes: (N, M, 4) floating, xyxy.
        scores: (N, M) floating.
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
    groups = checked_groups(boxes, scores, groups, limit, 4)
    index, counts = _operator(boxes, scores, groups, iou_threshold, limit)
    return index, counts


def reference(
    boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float, limit: int
) -> tuple[Tensor, Tensor]:
    """``nms_per_image`` by the reference of ``batched_nms``, an image at a time."""
    index = torch.full((len(scores), limit), -1, dtype=torch.int64, device=scores.device)
    counts = torch.zeros(len(scores), dtype=torch.int64, device=scores.device)
    for image, present in enumerate(scores != float("-inf")):
        candidates = torch.nonzero(present).squeeze(1)
        kept = ragged_reference(
            boxes[image, candidates],
            scores[image, candidates],
            groups[image, candidates],
            iou_threshold,
        )[:limit]
        index[image, : len(kept)] = candidates[kept]
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
    extension().nms_per_image(
        stored(boxes),
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
    return keep_best_per_image("upright", boxes, scores, groups, iou_threshold, limit)


def _fake(
    boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float, limit: int
) -> tuple[Tensor, Tensor]:
    return groups.new_empty((scores.shape[0], limit)), groups.new_empty(scores.shape[0])


_operator = register(
    "nms_per_image(Tensor boxes, Tensor scores, Tensor groups, float iou_threshold, int limit)"
    " -> (Tensor, Tensor)",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)
