"""What RetinaNet is trained on (Lin et al., "Focal loss for dense object detection", 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchsuite_plugins.models.box_regression_loss import Coder
from benchsuite_plugins.models.dense_losses import DenseLosses
from benchsuite_plugins.models.dense_targets import dense_targets
from benchsuite_plugins.models.dense_training_options import RetinaNetTrainingOptions
from benchsuite_plugins.models.matcher import Matcher
from benchsuite_plugins.models.target_batch import TargetBatch


class RetinaNetLosses(nn.Module):
    """``loss_cls`` and ``loss_box_reg``.

    Raises:
        UsageError: options that do not fit each other, or a loss that is not registered.
    """

    def __init__(self, options: RetinaNetTrainingOptions, coder: Coder, num_classes: int) -> None:
        super().__init__()
        self.matcher = Matcher(
            options.iou_thresholds, options.iou_labels, options.low_quality_matches
        )
        self.losses = DenseLosses(options, coder, num_classes)

    def forward(
        self,
        outputs: tuple[Sequence[Tensor], Sequence[Tensor]],
        anchors: Sequence[Tensor],
        truth: TargetBatch,
    ) -> dict[str, Tensor]:
        """Losses of N images.

        Args:
            outputs: what ``RetinaNetHead`` returns.
            anchors: a (M, 4) a level.
        """
        logits, deltas = outputs
        every = torch.cat(list(anchors))
        class_loss, box_loss, _ = self.losses(
            logits,
            deltas,
            every,
            dense_targets(*self.matcher.match_anchors(every, truth), truth),
        )
        return {"loss_cls": class_loss, "loss_box_reg": box_loss}
