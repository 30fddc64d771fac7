"""What a region proposal network learns from (Ren et al., "Faster R-CNN", 2015, equation 1)."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from benchsuite_plugins.models.box_coder import BoxCoder
from benchsuite_plugins.models.box_regression_loss import BoxRegressionLoss
from benchsuite_plugins.models.matcher import POSITIVE, Matcher
from benchsuite_plugins.models.sampler import sample_candidates
from benchsuite_plugins.models.target_batch import TargetBatch
from benchsuite_plugins.models.training_options import RPNTrainingOptions


class RPNLosses:
    """Objectness of a random choice of anchors, and the boxes of those that stand for objects.

    Both sums are divided by the size that the choice should have, whatever it has.

    Raises:
        UsageError: options that do not fit each other.
    """

    def __init__(self, options: RPNTrainingOptions, box_coder: BoxCoder) -> None:
        self.options = options
        self.box_coder = box_coder
        self.matcher = Matcher(
            options.iou_thresholds, options.iou_labels, options.low_quality_matches
        )

    @cached_property
    def box_loss(self) -> BoxRegressionLoss:
        # Looked up when first wanted: inference needs no plugin's loss.
        return BoxRegressionLoss(self.options.bbox_reg_loss, self.box_coder)

    def __call__(
        self, logits: Tensor, deltas: Tensor, anchors: Tensor, truth: TargetBatch
    ) -> dict[str, Tensor]:
        """``loss_rpn_cls`` and ``loss_rpn_loc``, weighted: () float32 each.

        Args:
            logits: (N, M), all levels.
            deltas: (N, M, 4).
            anchors: (M, 4), xyxy.
        """
        images, count = logits.shape
        matched, labels = (rows.flatten() for rows in self.matcher.match_anchors(anchors, truth))
        chosen = sample_candidates(
            labels,
            torch.arange(images, device=logits.device).repeat_interleave(count),
            truth.generators,
            batch_size_per_image=self.options.batch_size_per_image,
            positive_fraction=self.options.positive_fraction,
        )
        objectness = F.binary_cross_entropy_with_logits(
            logits.flatten()[chosen].float(), labels[chosen].float(), reduction="sum"
        )
        positive = chosen[labels[chosen] == POSITIVE]
        boxes = self.box_loss(
            deltas.flatten(0, 1)[positive],
            anchors[positive % count],
            truth.boxes[matched[positive]],
        )
        scale = self.options.loss_weight / (self.options.batch_size_per_image * images)
        return {"loss_rpn_cls": objectness * scale, "loss_rpn_loc": boxes * scale}
