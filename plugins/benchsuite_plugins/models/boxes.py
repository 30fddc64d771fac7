"""Arithmetic on boxes: (..., 4), xyxy, pixels, width = x2 - x1."""

from __future__ import annotations

import torch
from torch import Tensor


def box_area(boxes: Tensor) -> Tensor:
    """(..., 4) to (...)."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def clip_boxes(boxes: Tensor, sizes: Tensor) -> Tensor:
    """Move corners that lie outside onto the image's border.

    Args:
        boxes: (..., 4).
        sizes: (..., 2), height and width of the image each box lies in.
    """
    height, width = sizes.unbind(-1)
    return boxes.clamp(min=0).minimum(torch.stack([width, height, width, height], dim=-1))


def larger_than(boxes: Tensor, size: float) -> Tensor:
    """Whether both sides are greater than ``size``: (..., 4) to (...) bool; NaN is not."""
    return (boxes[..., 2:] - boxes[..., :2] > size).all(dim=-1)
