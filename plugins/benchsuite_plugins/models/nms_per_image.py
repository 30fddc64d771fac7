"""Non-maximum suppression of a whole batch at once, and the best few of each image."""

from __future__ import annotations

from torch import Tensor

from benchsuite_kernels import ops
from benchsuite_plugins.models.first_per_image import first_per_image


def nms_per_image(
    boxes: Tensor,
    scores: Tensor,
    groups: Tensor,
    image_index: Tensor,
    *,
    group_count: int,
    image_count: int,
    iou_threshold: float,
    limit: int,
) -> Tensor:
    """Suppress within each group (class, level) of each image; keep the ``limit`` best an image.

    Args:
        boxes: (N, 4), xyxy.
        scores: (N,).
        groups: (N,) int64, 0 to ``group_count - 1``.
        image_index: (N,) int64, 0 to ``image_count - 1``.
        iou_threshold: boxes that overlap a better one more than this (strictly) go.
        limit: at most so many stay of an image.

    Returns:
        (K,) int64: indices of those that stay, by image, within an image by descending score.
    """
    kept = ops.batched_nms(boxes, scores, image_index * group_count + groups, iou_threshold)
    return kept[first_per_image(image_index[kept], image_count, limit)]
