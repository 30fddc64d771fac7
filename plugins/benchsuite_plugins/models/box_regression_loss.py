"""The loss of predicted deltas, whether it compares them or the boxes that they make."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from benchsuite_plugins.models.named_loss import named_loss
from benchsuite_plugins.models.training_options import BoxLossOptions


class Coder(Protocol):
    """Boxes relative to reference boxes, (..., 4) all of them (see ``box_coder``)."""

    def decode(self, deltas: Tensor, boxes: Tensor) -> Tensor:
        """The boxes that ``deltas`` make of ``boxes``."""

    def encode(self, targets: Tensor, boxes: Tensor) -> Tensor:
        """The deltas that make ``targets`` of ``boxes``."""


class BoxRegressionLoss:
    """A registered loss, weighted and summed.

    Raises:
        UsageError: nobody registered it, it compares neither values nor boxes, or it has no such
            options.
    """

    def __init__(self, options: BoxLossOptions, coder: Coder) -> None:
        self.loss, spec = named_loss(options.name, options.options, ("values", "boxes"))
        self.of_boxes = spec.compares == "boxes"
        self.weight = options.weight
        self.coder = coder

    def __call__(self, deltas: Tensor, boxes: Tensor, targets: Tensor) -> Tensor:
        """The sum over all rows.

        Args:
            deltas: (R, 4), predicted.
            boxes: (R, 4), what they are relative to.
            targets: (R, 4), the true boxes.

        Returns:
            () float32.
        """
        if self.of_boxes:
            losses = self.loss(self.coder.decode(deltas, boxes), targets)
        else:
            losses = self.loss(deltas.float(), self.coder.encode(targets, boxes))
        return self.weight * losses.sum()
