"""Boxes as offsets from reference boxes (Girshick et al., R-CNN, 2014, appendix C).

``dx, dy`` move the centre by fractions of the reference's width and height; ``dw, dh`` are
logarithms of the change of size. All four are scaled by weights.
"""

from __future__ import annotations

from math import log

import torch
from torch import Tensor

SCALE_CLAMP = log(1000.0 / 16)
"""The largest ``dw, dh``, so that exp cannot overflow: a box is at most 62.5 times as wide or high
as its reference."""


class BoxCoder:
    """Decodes and encodes deltas.

    Args:
        weights: of dx, dy, dw, dh: a delta is divided by its weight when it is decoded.
    """

    def __init__(self, weights: tuple[float, float, float, float]) -> None:
        self.weights = weights

    def decode(self, deltas: Tensor, boxes: Tensor) -> Tensor:
        """The boxes that ``deltas`` make of the reference ``boxes``.

        Args:
            deltas: (..., 4), dx, dy, dw, dh.
            boxes: (..., 4), xyxy; broadcast against ``deltas``.

        Returns:
            (..., 4) float32, xyxy, not clipped.
        """
        deltas, boxes = deltas.float(), boxes.float()
        dx, dy, dw, dh = (
            delta / weight for delta, weight in zip(deltas.unbind(-1), self.weights, strict=True)
        )
        width = boxes[..., 2] - boxes[..., 0]
        height = boxes[..., 3] - boxes[..., 1]
        center_x = dx * width + (boxes[..., 0] + 0.5 * width)
        center_y = dy * height + (boxes[..., 1] + 0.5 * height)
        half_width = 0.5 * (dw.clamp(max=SCALE_CLAMP).exp() * width)
        half_height = 0.5 * (dh.clamp(max=SCALE_CLAMP).exp() * height)
        return torch.stack(
            [
                center_x - half_width,
                center_y - half_height,
                center_x + half_width,
                center_y + half_height,
            ],
            dim=-1,
        )

    def encode(self, targets: Tensor, boxes: Tensor) -> Tensor:
        """The deltas that make ``targets`` of the reference ``boxes``.

        Args:
            targets: (..., 4), xyxy, of positive width and height.
            boxes: (..., 4), xyxy, likewise; broadcast against ``targets``.

        Returns:
            (..., 4) float32, dx, dy, dw, dh.
        """
        targets, boxes = targets.float(), boxes.float()
        size, target_size = boxes[..., 2:] - boxes[..., :2], targets[..., 2:] - targets[..., :2]
        center, target_center = boxes[..., :2] + 0.5 * size, targets[..., :2] + 0.5 * target_size
        moves = (target_center - center) / size
        deltas = torch.cat([moves, (target_size / size).log()], dim=-1)
        return deltas * deltas.new_tensor(self.weights)
