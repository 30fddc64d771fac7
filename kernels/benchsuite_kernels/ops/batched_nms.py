"""Greedy non-maximum suppression within groups (classes, levels, images)."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import batched_nms as torchvision_batched_nms
from torchvision.ops import nms as torchvision_nms

from benchsuite_kernels.dispatch import native, tally
from benchsuite_kernels.ops.tensors import as_array, kernel_takes


def batched_nms(boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float) -> Tensor:
    """Keep the best box, drop those of its group that overlap it, and so on.

    A box is dropped when its intersection over union with a kept one of its group is greater than
    the threshold (strictly). Areas are ``(x2 - x1) * (y2 - y1)``, no +1. A NaN score counts as the
    highest; a NaN overlap drops nothing.

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
    extension = native()
    if extension is not None and kernel_takes(boxes, scores):
        tally("batched_nms", "c++")
        kept = extension.batched_nms(
            as_array(boxes, torch.float32),
            as_array(scores, torch.float32),
            as_array(groups, torch.int64),
            iou_threshold,
            torch.get_num_threads(),
        )
        return torch.from_numpy(kept)
    if boxes.device.type != "cpu":
        # Boxes moved apart by group, in one launch: a loop over groups would wait for the device
        # at each. Overlaps within rounding of the threshold may fall to the other side.
        tally("batched_nms", "torchvision")
        result: Tensor = torchvision_batched_nms(boxes, scores, groups, iou_threshold)
        return result
    tally("batched_nms", "reference")
    return reference(boxes, scores, groups, iou_threshold)


def reference(boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float) -> Tensor:
    """``batched_nms`` by torchvision, a group at a time; float32 and float64."""
    keep = torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    for group in torch.unique(groups):
        members = torch.nonzero(groups == group).squeeze(1)
        keep[members[torchvision_nms(boxes[members], scores[members], iou_threshold)]] = True
    order = scores.argsort(descending=True, stable=True)
    return order[keep[order]]
