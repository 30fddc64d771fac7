"""Boxes as offsets from reference boxes (Girshick et al., R-CNN, 2014, appendix C).

``dx, dy`` move the centre by fractions of the reference's width and height; ``dw, dh`` are
logarithms of the change of size, at most that of 62.5. All four are scaled by weights.
"""

from __future__ import annotations

from torch import Tensor

from benchsuite_kernels import ops


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
            boxes: (..., 4), xyxy; broadcast to the shape of ``deltas``.

        Returns:
            (..., 4) float32 (float64 where ``deltas`` are), xyxy, not clipped.
        """
        return ops.decode_boxes(deltas, boxes, self.weights)

    def encode(self, targets: Tensor, boxes: Tensor) -> Tensor:
        """The deltas that make ``targets`` of the reference ``boxes``.

        Args:
            targets: (..., 4), xyxy, of positive width and height.
            boxes: (..., 4), xyxy, likewise; broadcast to the shape of ``targets``.

        Returns:
            (..., 4) float32, dx, dy, dw, dh.
        """
        return ops.encode_boxes(targets, boxes, self.weights)
