"""From the candidates of each image to its best few that do not overlap."""

from __future__ import annotations

import torch
from torch import Tensor

from benchsuite_kernels import ops
from benchsuite_plugins.models.instances import Detections
from benchsuite_plugins.models.presence import ABSENT


def suppress(
    boxes: Tensor, scores: Tensor, groups: Tensor, *, iou_threshold: float, limit: int
) -> Detections:
    """Suppress within each group (class, level) of each image; keep the ``limit`` best an image.

    Args:
        boxes: (N, M, 4) float32, xyxy.
        scores: (N, M) float32, minus infinity where there is no candidate.
        groups: (N, M) int64, or (M,) for all images: labels of what is detected.
        iou_threshold: boxes that overlap a better one more than this (strictly) go.
        limit: at most so many stay of an image.

    Returns:
        The lesser of ``limit`` and M rows an image; those behind the last that stays are absent.
    """
    images, count = scores.shape
    limit = min(limit, count)
    groups = groups.expand(images, count)
    index, _ = ops.nms_per_image(boxes, scores, groups, iou_threshold, limit)
    absent = index < 0
    place = index.clamp(min=0)
    found = boxes.gather(1, place[..., None].expand(-1, -1, 4))
    return Detections(
        found.masked_fill(absent[..., None], 0).flatten(0, 1),
        scores.gather(1, place).masked_fill(absent, ABSENT).flatten(),
        groups.gather(1, place).masked_fill(absent, 0).flatten(),
        torch.arange(images, device=scores.device)[:, None].expand(-1, limit).flatten(),
    )
