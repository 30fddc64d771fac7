"""What a box predictor learns from (Girshick, "Fast R-CNN", 2015, section 2.3)."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from benchsuite_plugins.models.box_coder import BoxCoder
from benchsuite_plugins.models.box_regression_loss import BoxRegressionLoss
from benchsuite_plugins.models.named_loss import Loss, named_loss
from benchsuite_plugins.models.proposal_labels import LabelledProposals
from benchsuite_plugins.models.target_batch import TargetBatch
from benchsuite_plugins.models.training_options import BoxHeadTrainingOptions


class FastRCNNLosses:
    """The classes of all regions, and the boxes of those that stand for objects.

    Both sums are divided by the number of all regions.
    """

    def __init__(self, options: BoxHeadTrainingOptions, box_coder: BoxCoder) -> None:
        self.options = options
        self.box_coder = box_coder

    # Both are looked up when first wanted: inference needs no plugin's loss.

    @cached_property
    def _class_loss(self) -> Loss:
        options = self.options.class_loss
        return named_loss(options.name, options.options, ("labels",))[0]

    @cached_property
    def box_loss(self) -> BoxRegressionLoss:
        return BoxRegressionLoss(self.options.bbox_reg_loss, self.box_coder)

    def class_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(R, K + 1) and (R,) to (R,), neither weighted nor divided."""
        return self._class_loss(logits, labels)

    def __call__(
        self, logits: Tensor, deltas: Tensor, regions: LabelledProposals, truth: TargetBatch
    ) -> dict[str, Tensor]:
        """``loss_cls`` and ``loss_box_reg``, weighted: () float32 each.

        Args:
            logits: (R, K + 1), background last.
            deltas: (R, K * 4), or (R, 4) for one box for all classes.
        """
        count = max(len(logits), 1)
        classes = self.class_loss(logits.float(), regions.labels).sum() / count
        rows = (regions.labels < regions.num_classes).nonzero().squeeze(1)
        deltas = deltas.unflatten(1, (-1, 4))
        own = deltas[rows, regions.labels[rows]] if deltas.shape[1] > 1 else deltas[rows, 0]
        boxes = self.box_loss(own, regions.boxes[rows], truth.boxes[regions.matched[rows]]) / count
        return {"loss_cls": classes * self.options.class_loss.weight, "loss_box_reg": boxes}
