"""A box predictor for many categories that do not exclude each other (Zhou et al., "Probabilistic
two-stage detection", 2021, section 5.1).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchsuite.errors import ContractError
from benchsuite_plugins.models.box_coder import BoxCoder
from benchsuite_plugins.models.box_head import BoxPredictor
from benchsuite_plugins.models.fast_rcnn_losses import FastRCNNLosses
from benchsuite_plugins.models.named_loss import Loss, named_loss
from benchsuite_plugins.models.options import BoxHeadOptions
from benchsuite_plugins.models.training_options import BoxHeadTrainingOptions


class FederatedBoxPredictor(BoxPredictor):
    """Each class has a score of its own. The logit of the background takes part in nothing.

    Attributes:
        fed_loss_cls_weights: (K,), saved with the weights: how often the loss draws a class that is
            not there; the square roots of the numbers of images with each.
    """

    exclusive = False
    fed_loss_cls_weights: Tensor

    def __init__(self, in_channels: int, num_classes: int, class_agnostic: bool) -> None:
        super().__init__(in_channels, num_classes, class_agnostic)
        self.register_buffer("fed_loss_cls_weights", torch.ones(num_classes))

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.float().sigmoid()

    def set_image_counts(self, counts: Sequence[int]) -> None:
        """Draw classes as the published models did: by the square root of how many images of the
        training set hold them.

        Raises:
            ContractError: there are not as many counts as classes.
        """
        if len(counts) != len(self.fed_loss_cls_weights):
            raise ContractError(
                f"{len(counts)} image counts for {len(self.fed_loss_cls_weights)} classes"
            )
        self.fed_loss_cls_weights.copy_(torch.tensor(counts).sqrt())


class FederatedLosses(FastRCNNLosses):
    """``FastRCNNLosses`` whose loss of classes is told the predictor's ``class_weights``."""

    def __init__(
        self,
        options: BoxHeadTrainingOptions,
        box_coder: BoxCoder,
        predictor: FederatedBoxPredictor,
    ) -> None:
        super().__init__(options, box_coder)
        self.predictor = predictor

    def class_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        options = self.options.class_loss
        weights = {"class_weights": self.predictor.fed_loss_cls_weights}
        loss: Loss = named_loss(options.name, {**options.options, **weights}, ("labels",))[0]
        return loss(logits, labels)


def make_predictor(in_channels: int, num_classes: int, options: BoxHeadOptions) -> BoxPredictor:
    """The predictor that options ask for.

    Args:
        in_channels: what the box head leaves.
    """
    predictor = FederatedBoxPredictor if options.classification == "federated" else BoxPredictor
    return predictor(in_channels, num_classes, options.cls_agnostic_bbox_reg)


def make_losses(
    options: BoxHeadOptions, box_coder: BoxCoder, predictor: BoxPredictor
) -> FastRCNNLosses:
    """What a predictor learns from."""
    if isinstance(predictor, FederatedBoxPredictor):
        return FederatedLosses(options.training, box_coder, predictor)
    return FastRCNNLosses(options.training, box_coder)
