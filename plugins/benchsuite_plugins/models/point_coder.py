"""Boxes as distances from a point to their four sides (Tian et al., "FCOS", 2019)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


class PointCoder:
    """Decodes and encodes left, top, right and bottom distances.

    A point is given as the square around it whose side is the distance's unit, which for FCOS is
    the stride of the feature map.
    """

    def decode(self, deltas: Tensor, boxes: Tensor) -> Tensor:
        """The boxes at ``deltas`` from the centres of the squares ``boxes``.

        Args:
            deltas: (..., 4), left, top, right, bottom; what is negative counts as zero.
            boxes: (..., 4), xyxy; broadcast against ``deltas``.

        Returns:
            (..., 4) float32, xyxy, not clipped.
        """
        center, side = _center_and_side(boxes)
        distances = F.relu(deltas.float()) * side
        return torch.cat([center - distances[..., :2], center + distances[..., 2:]], dim=-1)

    def encode(self, targets: Tensor, boxes: Tensor) -> Tensor:
        """What ``decode`` makes ``targets`` of; negative where a centre lies outside.

        Args:
            targets: (..., 4), xyxy.
            boxes: (..., 4), xyxy; broadcast against ``targets``.

        Returns:
            (..., 4) float32, left, top, right, bottom.
        """
        center, side = _center_and_side(boxes)
        targets = targets.float()
        return torch.cat([center - targets[..., :2], targets[..., 2:] - center], dim=-1) / side


def _center_and_side(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """(..., 4) to (..., 2) and (..., 1)."""
    boxes = boxes.float()
    return 0.5 * (boxes[..., :2] + boxes[..., 2:]), boxes[..., 2:3] - boxes[..., :1]
