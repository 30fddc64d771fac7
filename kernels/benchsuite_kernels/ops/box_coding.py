"""How four values and a reference box become a box, in plain torch; see ``rpn_selection``."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor

SCALE_CLAMP = log(1000.0 / 16)
"""The largest logarithm of a change of size, so that exp cannot overflow."""


def coded_boxes(values: Tensor, boxes: Tensor, weights: Sequence[float]) -> Tensor:
    """Boxes of deltas, or of distances.

    Args:
        values: (..., 4): dx, dy, dw, dh, each to be divided by its weight; without weights the
            distances left, top, right, bottom from the centre in widths of the reference, what is
            negative counting as zero.
        boxes: (..., 4) references, xyxy; broadcast against ``values``.
        weights: four, or none.
    """
    if not weights:
        center = 0.5 * (boxes[..., :2] + boxes[..., 2:])
        distances = values.clamp(min=0) * (boxes[..., 2:3] - boxes[..., :1])
        return torch.cat([center - distances[..., :2], center + distances[..., 2:]], dim=-1)
    dx, dy, dw, dh = (
        value / weight for value, weight in zip(values.unbind(-1), weights, strict=True)
    )
    width = boxes[..., 2] - boxes[..., 0]
    height = boxes[..., 3] - boxes[..., 1]
    x = dx * width + (boxes[..., 0] + 0.5 * width)
    y = dy * height + (boxes[..., 1] + 0.5 * height)
    half_width = 0.5 * (dw.clamp(max=SCALE_CLAMP).exp() * width)
    half_height = 0.5 * (dh.clamp(max=SCALE_CLAMP).exp() * height)
    return torch.stack([x - half_width, y - half_height, x + half_width, y + half_height], dim=-1)


def clipped(boxes: Tensor, sizes: Tensor) -> Tensor:
    """Boxes (N, M, 4) with corners that lie outside moved onto the border of their image.

    Args:
        sizes: (N, 2), height and width.
    """
    height, width = sizes.to(boxes.dtype)[:, None].unbind(-1)
    return boxes.clamp(min=0).minimum(torch.stack([width, height, width, height], dim=-1))


def check_weights(weights: Sequence[float]) -> None:
    """Raises: ValueError: they are neither four nor none."""
    if len(weights) not in (0, 4):
        raise ValueError(f"{len(weights)} weights, not 4")
