"""Losses of boxes by how much they overlap, in place of how much their numbers differ.

Each takes two (R, 4), xyxy, row against row, and returns (R,), unreduced. Boxes are not inverted
(x1 <= x2, y1 <= y2).
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi

import torch
from torch import Tensor

EPSILON = 1e-7
"""Added to denominators, so that boxes without extent give no NaN."""


def giou_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """1 - IoU + the share of the enclosing box that neither covers (Rezatofighi et al.,
    "Generalized intersection over union", 2019)."""
    iou, union = _iou_and_union(predicted, target)
    enclosing = _enclosing_sides(predicted, target).prod(dim=-1)
    return 1 - iou + (enclosing - union) / (enclosing + EPSILON)


def diou_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """1 - IoU + the centres' squared distance over the enclosing box's squared diagonal (Zheng et
    al., "Distance-IoU loss", 2020)."""
    iou, _ = _iou_and_union(predicted, target)
    return 1 - iou + _distance_term(predicted, target)


def ciou_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """DIoU's, and a term of how the aspect ratios differ (Zheng et al., "Distance-IoU loss", 2020).

    The weight of that term is a constant to the gradient.
    """
    iou, _ = _iou_and_union(predicted, target)
    aspect = 4 / pi**2 * (_angle(target) - _angle(predicted)) ** 2
    with torch.no_grad():
        weight = aspect / (1 - iou + aspect + EPSILON)
    return 1 - iou + _distance_term(predicted, target) + weight * aspect


def create_giou() -> Callable[[Tensor, Tensor], Tensor]:
    """The factory: ``giou_loss``, which has no settings."""
    return giou_loss


def create_diou() -> Callable[[Tensor, Tensor], Tensor]:
    """The factory: ``diou_loss``, which has no settings."""
    return diou_loss


def create_ciou() -> Callable[[Tensor, Tensor], Tensor]:
    """The factory: ``ciou_loss``, which has no settings."""
    return ciou_loss


def _iou_and_union(predicted: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    top_left = predicted[:, :2].maximum(target[:, :2])
    bottom_right = predicted[:, 2:].minimum(target[:, 2:])
    overlap = (bottom_right - top_left).clamp(min=0).prod(dim=-1)
    union = _sides(predicted).prod(dim=-1) + _sides(target).prod(dim=-1) - overlap
    return overlap / (union + EPSILON), union


def _distance_term(predicted: Tensor, target: Tensor) -> Tensor:
    diagonal = (_enclosing_sides(predicted, target) ** 2).sum(dim=-1)
    distance = ((_centers(predicted) - _centers(target)) ** 2).sum(dim=-1)
    return distance / (diagonal + EPSILON)


def _enclosing_sides(predicted: Tensor, target: Tensor) -> Tensor:
    return predicted[:, 2:].maximum(target[:, 2:]) - predicted[:, :2].minimum(target[:, :2])


def _sides(boxes: Tensor) -> Tensor:
    return boxes[:, 2:] - boxes[:, :2]


def _centers(boxes: Tensor) -> Tensor:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _angle(boxes: Tensor) -> Tensor:
    width, height = _sides(boxes).unbind(-1)
    return torch.atan2(width, height)
