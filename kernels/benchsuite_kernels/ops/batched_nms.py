"""Greedy non-maximum suppression within groups (classes, levels, images).

Source: Girshick et al., "Rich feature hierarchies" (R-CNN, 2014), section 2.2; boxes have no +1, as
in Detectron2 and torchvision.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import batched_nms as torchvision_batched_nms
from torchvision.ops import nms as torchvision_nms

from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.nms_launch import keep_best_per_image
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.tensors import stored


def batched_nms(boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float) -> Tensor:
    """Keep the best box, drop those of its group that overlap it, and so on.

    A box is dropped when its intersection over union with a kept one of its group is greater than
    the threshold (strictly). Areas are ``(x2 - x1) * (y2 - y1)``, no +1. A NaN score counts as the
    highest; a NaN overlap drops nothing.

    How many are kept is not known before: on a GPU the host waits for it. ``nms_per_image`` has an
    output of fixed size instead.

    Args:
        boxes: (N, 4) floating, xyxy.
        scores: (N,) floating.
        groups: (N,) int64, any values.
        iou_threshold: 0 to 1.

    Returns:
        (K,) int64: indices of the kept boxes by descending score, equal scores by ascending index.

    Raises:
        ValueError: shapes that do not fit together.
    """
    count = len(boxes)
    if boxes.shape != (count, 4) or scores.shape != (count,) or groups.shape != (count,):
        raise ValueError(
            f"boxes {tuple(boxes.shape)}, scores {tuple(scores.shape)} and groups "
            f"{tuple(groups.shape)} are not (N, 4), (N,) and (N,)"
        )
    kept: Tensor = _operator(boxes, scores, groups, iou_threshold)
    return kept


def reference(boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float) -> Tensor:
    """``batched_nms`` by torchvision; float32 and float64.

    On the CPU a group at a time; elsewhere boxes are moved apart by group, in one launch, since a
    loop over groups would wait for the device at each. There overlaps within rounding of the
    threshold may fall to the other side.
    """
    if boxes.device.type != "cpu":
        return torchvision_batched_nms(boxes, scores, groups, iou_threshold)  # type: ignore[no-any-return]
    keep = torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    for group in torch.unique(groups):
        members = torch.nonzero(groups == group).squeeze(1)
        keep[members[torchvision_nms(boxes[members], scores[members], iou_threshold)]] = True
    order = scores.argsort(descending=True, stable=True)
    return order[keep[order]]


def _native(boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float) -> Tensor:
    if boxes.dtype is not torch.float32 or scores.dtype is not torch.float32:
        return NotImplemented
    kept = torch.empty_like(groups, memory_format=torch.contiguous_format)
    count = extension().batched_nms(
        stored(boxes), stored(scores), stored(groups), iou_threshold, kept, torch.get_num_threads()
    )
    return kept[:count]


def _cuda(boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float) -> Tensor:
    if boxes.dtype is not torch.float32 or scores.dtype is not torch.float32:
        return NotImplemented
    # To the kernels a score of minus infinity marks what is absent.
    finite = scores.clamp(min=torch.finfo(torch.float32).min)
    index, counts = keep_best_per_image(
        "upright", boxes[None], finite[None], groups[None], iou_threshold, len(boxes)
    )
    return index[0, : int(counts)]


def _fake(boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float) -> Tensor:
    return groups.new_empty(torch.library.get_ctx().new_dynamic_size())


_operator = register(
    "batched_nms(Tensor boxes, Tensor scores, Tensor groups, float iou_threshold) -> Tensor",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)
