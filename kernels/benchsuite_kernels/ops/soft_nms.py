"""Soft-NMS (Bodla et al., "Soft-NMS: improving object detection with one line of code", 2017).

A box that overlaps a better one loses score instead of being dropped. No model of Detectron2 or
torchvision does so: this is an operator for those who build their own.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.candidates import checked_groups
from benchsuite_kernels.ops.nms_launch import not_above
from benchsuite_kernels.ops.pairwise_iou import reference as pairwise_reference
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.tensors import stored

METHODS = ("hard", "linear", "gaussian")
"""How scores decay, in the order of the kernels' numbers."""

# As in soft_nms.cu.
THREADS = 512


def soft_nms(
    boxes: Tensor,
    scores: Tensor,
    groups: Tensor,
    limit: int,
    *,
    method: str = "linear",
    iou_threshold: float = 0.3,
    sigma: float = 0.5,
    min_score: float = 0.001,
) -> tuple[Tensor, Tensor, Tensor]:
    """Take the best candidate of each image, lower the scores of what overlaps it, and so on.

    A score ``s`` becomes, by the overlap ``o`` (intersection over union) with each box of its group
    that is taken before:

    - ``"linear"``: ``s * (1 - o)`` where ``o`` is greater than ``iou_threshold`` (strictly),
    - ``"gaussian"``: ``s * exp(-o * o / sigma)``, whatever ``o`` is,
    - ``"hard"``: 0 where ``o`` is greater than ``iou_threshold``, as in NMS.

    A candidate is taken while its score is greater than ``min_score`` (strictly). The defaults are
    the paper's and those of mmcv. An overlap of NaN changes nothing.

    Args:
        boxes: (N, M, 4) floating, xyxy.
        scores: (N, M), of the same dtype; 0 or more. Others, minus infinity and NaN too, mark an
            absent candidate.
        groups: (N, M) int64, any values: scores decay within a group. (M,) where images share them.
        limit: an image takes at most so many, 0 or more.
        method: one of ``METHODS``.
        iou_threshold: 0 to 1; of no meaning to ``"gaussian"``.
        sigma: above 0; of no meaning to the others.
        min_score: 0 or more.

    Returns:
        index: (N, limit) int64, the places of the taken candidates among the M, as they were taken:
            by descending new score, equal ones by ascending place; -1 behind the last.
        scores: (N, limit), their new scores, 0 behind the last. Sums of logarithms are not formed:
            factors are multiplied in the order in which boxes are taken. Between devices
            ``"gaussian"`` may differ in the last place.
        counts: (N,) int64, how many each image takes.

    Raises:
        ValueError: shapes that do not fit together, an unknown method, or a number out of range.
    """
    groups = checked_groups(boxes, scores, groups, limit, 4)
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not one of {', '.join(METHODS)}")
    if not sigma > 0 or not min_score >= 0:
        raise ValueError(f"sigma={sigma} is not above 0, or min_score={min_score} below 0")
    index, new_scores, counts = _operator(
        boxes, scores, groups, limit, METHODS.index(method), iou_threshold, sigma, min_score
    )
    return index, new_scores, counts


def reference(
    boxes: Tensor,
    scores: Tensor,
    groups: Tensor,
    limit: int,
    method: int,
    iou_threshold: float,
    sigma: float,
    min_score: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """``soft_nms``, a candidate at a time; ``method`` is a place in ``METHODS``."""
    index, new_scores, counts = _nothing(scores, limit)
    if scores.dtype is torch.float32:
        iou_threshold, min_score = not_above(iou_threshold), not_above(min_score)
    for image in range(len(scores)):
        left = scores[image].clone()
        for rank in range(min(limit, left.shape[0])):
            left[~(left > min_score)] = 0  # NaN too
            place = int(left.argmax())
            if not left[place] > 0:
                break
            index[image, rank], new_scores[image, rank] = place, left[place]
            counts[image] += 1
            left[place] = 0
            overlaps = pairwise_reference(boxes[image, place : place + 1], boxes[image])[0]
            if METHODS[method] == "gaussian":
                factors = torch.exp(-(overlaps * overlaps) / sigma)
            else:
                lost = overlaps if METHODS[method] == "linear" else torch.ones_like(overlaps)
                factors = (1 - lost).where(overlaps > iou_threshold, 1)
            left = left * factors.where(groups[image] == groups[image, place], 1)
    return index, new_scores, counts


def _nothing(scores: Tensor, limit: int) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs of images that take nothing."""
    images, device = len(scores), scores.device
    return (
        torch.full((images, limit), -1, dtype=torch.int64, device=device),
        torch.zeros((images, limit), dtype=scores.dtype, device=device),
        torch.zeros(images, dtype=torch.int64, device=device),
    )


def _native(
    boxes: Tensor,
    scores: Tensor,
    groups: Tensor,
    limit: int,
    method: int,
    iou_threshold: float,
    sigma: float,
    min_score: float,
) -> tuple[Tensor, Tensor, Tensor]:
    if boxes.dtype is not torch.float32 or scores.dtype is not torch.float32:
        return NotImplemented
    outputs = _nothing(scores, limit)
    extension().soft_nms(
        stored(boxes),
        stored(scores),
        stored(groups),
        (method, iou_threshold, sigma, min_score),
        *outputs,
        torch.get_num_threads(),
    )
    return outputs


def _cuda(
    boxes: Tensor,
    scores: Tensor,
    groups: Tensor,
    limit: int,
    method: int,
    iou_threshold: float,
    sigma: float,
    min_score: float,
) -> tuple[Tensor, Tensor, Tensor]:
    if boxes.dtype is not torch.float32 or scores.dtype is not torch.float32:
        return NotImplemented
    outputs = _nothing(scores, limit)
    images, count = scores.shape
    if 0 in (images, count, limit):
        return outputs
    left = torch.empty_like(scores, memory_format=torch.contiguous_format)
    launch(
        "soft_nms.cu",
        "soft_nms",
        grid=(images, 1, 1),
        block=(THREADS, 1, 1),
        arguments=(
            *(stored(boxes), stored(scores), stored(groups), left, *outputs),
            *(count, limit, method, not_above(iou_threshold), float(np.float32(sigma))),
            not_above(min_score),
        ),
    )
    return outputs


def _fake(
    boxes: Tensor,
    scores: Tensor,
    groups: Tensor,
    limit: int,
    method: int,
    iou_threshold: float,
    sigma: float,
    min_score: float,
) -> tuple[Tensor, Tensor, Tensor]:
    images = scores.shape[0]
    return (
        groups.new_empty((images, limit)),
        scores.new_empty((images, limit)),
        groups.new_empty(images),
    )


_operator = register(
    "soft_nms(Tensor boxes, Tensor scores, Tensor groups, int limit, int method,"
    " float iou_threshold, float sigma, float min_score) -> (Tensor, Tensor, Tensor)",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)
