"""Boxes as distances from a point to their four sides (Tian et al., "FCOS", 2019)."""

from __future__ import annotations

from torch import Tensor

from benchsuite_kernels import ops


class PointCoder:
    """Decodes and encodes left, top, right and bottom distances.

    A point is given as the square around it whose side is the distance's unit, which for FCOS is
    the stride of the feature map.
    """

    def decode(self, deltas: Tensor, boxes: Tensor) -> Tensor:
        """The boxes at ``deltas`` from the centres of the squares ``boxes``.

        Args:
            deltas: (..., 4), left, top, right, bottom; what is negative counts as zero.
            boxes: (..., 4), xyxy; broadcast to the shape of ``deltas``.

        Returns:
            (..., 4) float32 (float64 where ``deltas`` are), xyxy, not clipped.
        """
        return ops.decode_boxes(deltas, boxes)

    def encode(self, targets: Tensor, boxes: Tensor) -> Tensor:
        """What ``decode`` makes ``targets`` of; negative where a centre lies outside.

        Args:
            targets: (..., 4), xyxy.
            boxes: (..., 4), xyxy; broadcast to the shape of ``targets``.

        Returns:
            (..., 4) float32, left, top, right, bottom.
        """
        return ops.encode_boxes(targets, boxes)
