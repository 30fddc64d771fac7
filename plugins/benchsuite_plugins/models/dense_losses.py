"""The two losses that dense detectors have in common."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchsuite_kernels.ops.head_maps import anchor_rows
from benchsuite_plugins.models.box_regression_loss import BoxRegressionLoss, Coder
from benchsuite_plugins.models.dense_targets import DenseTargets
from benchsuite_plugins.models.dense_training_options import DenseTrainingOptions
from benchsuite_plugins.models.loss_normalizer import LossNormalizer
from benchsuite_plugins.models.named_loss import LossOfMaps, named_loss


class DenseLosses(nn.Module):
    """Classification of all that counts, and box regression of what is positive, both divided by
    the moving average of the number of positives.

    Raises:
        UsageError: a loss is not registered, or does not compare what it is given.
    """

    def __init__(self, options: DenseTrainingOptions, coder: Coder, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        class_loss = options.class_loss
        self.class_loss, _ = named_loss(class_loss.name, class_loss.options, ("binary",))
        self.class_weight = class_loss.weight
        self.box_loss = BoxRegressionLoss(options.bbox_reg_loss, coder)
        self.normalizer = LossNormalizer(options.normalizer_start, options.normalizer_momentum)

    def forward(
        self,
        logits: Sequence[Tensor],
        deltas: Sequence[Tensor],
        anchors: Tensor,
        targets: DenseTargets,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Losses of N images with M anchors (or points) each.

        Args:
            logits: a (N, A * K, H, W) a level.
            deltas: a (N, A * 4, H, W) a level.
            anchors: (M, 4), all levels.

        Returns:
            Classification loss, box loss, and what they were divided by: () float32 each.
        """
        flat = torch.cat([anchor_rows(level, 4) for level in deltas], dim=1)
        box_loss = self.box_loss(
            flat[targets.image, targets.anchor], anchors[targets.anchor], targets.boxes
        )
        divisor = self.normalizer(torch.tensor(len(targets.anchor), device=anchors.device))
        class_loss = self.class_weight * self._class_sum(logits, targets)
        return class_loss / divisor, box_loss / divisor, divisor

    def _class_sum(self, logits: Sequence[Tensor], targets: DenseTargets) -> Tensor:
        if isinstance(self.class_loss, LossOfMaps):
            # Rows of each level.
            sizes = [level[0].numel() // self.num_classes for level in logits]
            labels = targets.class_index(self.num_classes).split(sizes, dim=1)
            sums = [
                self.class_loss.sum_of_maps(*level, self.num_classes)
                for level in zip(logits, labels, strict=True)
            ]
            return torch.stack(sums).sum()
        flat = torch.cat([anchor_rows(level, self.num_classes) for level in logits], dim=1)
        losses = self.class_loss(flat.float(), targets.one_hot(self.num_classes)).sum(dim=-1)
        return losses.where(targets.counted, 0).sum()
