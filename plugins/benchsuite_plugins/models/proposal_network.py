"""A region proposal network alone (Ren et al., "Faster R-CNN", 2015) on a ResNet-FPN backbone."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from benchsuite.protocols import ModelRequest
from benchsuite_plugins.models.detector import Detector, create_detector
from benchsuite_plugins.models.features import Backbone
from benchsuite_plugins.models.fpn import FPN, LastLevelMaxPool
from benchsuite_plugins.models.image_input import ImageBatch, ImageInput
from benchsuite_plugins.models.instances import Detections, Proposals
from benchsuite_plugins.models.options import (
    AnchorOptions,
    FPNOptions,
    InputOptions,
    ResNetOptions,
    RPNOptions,
)
from benchsuite_plugins.models.resnet import ResNet
from benchsuite_plugins.models.rpn import RegionProposalNetwork
from benchsuite_plugins.models.target_batch import TargetBatch
from benchsuite_plugins.models.trainable import Trainable


@dataclass(frozen=True, slots=True)
class ProposalNetworkOptions:
    """A region proposal network; the defaults are those of the published R50-FPN, which keeps
    more proposals than a detector's does."""

    input: InputOptions = field(default_factory=InputOptions)
    resnet: ResNetOptions = field(default_factory=ResNetOptions)
    fpn: FPNOptions = field(default_factory=FPNOptions)
    anchors: AnchorOptions = field(default_factory=AnchorOptions)
    rpn: RPNOptions = field(default_factory=lambda: RPNOptions(post_nms_topk_test=2000))


class ProposalNetwork(Detector, Trainable):
    """Its detections are regions: their scores are logits of objectness, and all have label 0."""

    def __init__(
        self, image_input: ImageInput, backbone: Backbone, proposal_generator: RegionProposalNetwork
    ) -> None:
        super().__init__(image_input)
        self.backbone = backbone
        self.proposal_generator = proposal_generator

    def detect(self, batch: ImageBatch) -> Detections:
        proposals: Proposals = self.proposal_generator(self.backbone(batch.pixels), batch.sizes)
        return Detections(
            proposals.boxes,
            proposals.logits,
            torch.zeros_like(proposals.image_index),
            proposals.image_index,
        )

    def batch_losses(self, batch: ImageBatch, truth: TargetBatch) -> dict[str, Tensor]:
        features = self.backbone(batch.pixels)
        _, losses = self.proposal_generator.losses(features, batch.sizes, truth)
        return losses


def build(options: ProposalNetworkOptions) -> ProposalNetwork:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    backbone = FPN(ResNet(options.resnet), options.fpn, LastLevelMaxPool())
    return ProposalNetwork(
        ImageInput(options.input, backbone.size_divisibility),
        backbone,
        RegionProposalNetwork(options.rpn, options.anchors, backbone.channels, backbone.strides),
    )


def create(request: ModelRequest) -> ProposalNetwork:
    """The factory: ``request.options`` is a ``ProposalNetworkOptions`` (``None``: the defaults).

    Raises:
        UsageError: options that do not fit each other, or no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or ProposalNetworkOptions()
    return create_detector(lambda _: build(options), request)
