"""Intersection over union of every box with every other."""

from __future__ import annotations

from torch import Tensor

from benchsuite_plugins.models.boxes import box_area


def pairwise_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """(A, 4) and (B, 4), xyxy, to (A, B) of 0 to 1; boxes that do not overlap have 0."""
    top_left = boxes[:, None, :2].maximum(others[:, :2])
    bottom_right = boxes[:, None, 2:].minimum(others[:, 2:])
    intersection = (bottom_right - top_left).clamp_(min=0).prod(dim=-1)
    union = box_area(boxes)[:, None] + box_area(others) - intersection
    # Two boxes without extent have no union either.
    return (intersection / union).where(intersection > 0, 0)
