"""The two losses that dense detectors have in common."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchsuite_plugins.models.box_regression_loss import BoxRegressionLoss, Coder
from benchsuite_plugins.models.dense_targets import DenseTargets
from benchsuite_plugins.models.dense_training_options import DenseTrainingOptions
from benchsuite_plugins.models.loss_normalizer import LossNormalizer
from benchsuite_plugins.models.named_loss import named_loss


class DenseLosses(nn.Module):
    """Classification of all that counts, and box regression of what is positive, both divided by
    the moving average of the number of positives.

    Raises:
        UsageError: a loss is not registered, or does not compare what it is given.
    """

    def __init__(self, options: DenseTrainingOptions, coder: Coder) -> None:
        super().__init__()
        class_loss = options.class_loss
        self.class_loss, _ = named_loss(class_loss.name, class_loss.options, ("binary",))
        self.class_weight = class_loss.weight
        self.box_loss = BoxRegressionLoss(options.bbox_reg_loss, coder)
        self.normalizer = LossNormalizer(options.normalizer_start, options.normalizer_momentum)

    def forward(
        self, logits: Tensor, deltas: Tensor, anchors: Tensor, targets: DenseTargets
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Losses of N images with M anchors (or points) each.

        Args:
            logits: (N, M, K).
            deltas: (N, M, 4).
            anchors: (M, 4).

        Returns:
            Classification loss, box loss, and what they were divided by: () float32 each.
        """
        classes = targets.classes(logits.shape[-1])
        # Nearly all anchors count: the sum of all is formed, and then what does not count left out.
        class_losses = self.class_loss(logits.float(), classes).sum(dim=-1)
        class_losses = class_losses.where(targets.counted, 0)
        box_loss = self.box_loss(
            deltas[targets.image, targets.anchor], anchors[targets.anchor], targets.boxes
        )
        divisor = self.normalizer(torch.tensor(len(targets.anchor), device=logits.device))
        return self.class_weight * class_losses.sum() / divisor, box_loss / divisor, divisor
