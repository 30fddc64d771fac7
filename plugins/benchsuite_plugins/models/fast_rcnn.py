"""Fast R-CNN (Girshick, 2015) with a ResNet-FPN backbone, on proposals that it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchsuite.errors import ContractError, UsageError
from benchsuite.protocols import ModelRequest
from benchsuite.records import Image
from benchsuite.targets import Target
from benchsuite_plugins.models.detector import Detector, create_detector
from benchsuite_plugins.models.features import Backbone
from benchsuite_plugins.models.fpn import FPN, LastLevelMaxPool
from benchsuite_plugins.models.given_proposals import (
    GivenProposalsOptions,
    ProposalBatch,
    collate_proposals,
    with_proposals,
)
from benchsuite_plugins.models.image_input import ImageBatch, ImageInput
from benchsuite_plugins.models.instances import Detections, Proposals
from benchsuite_plugins.models.options import (
    BoxHeadOptions,
    FPNOptions,
    InputOptions,
    ResNetOptions,
    ROIHeadsOptions,
)
from benchsuite_plugins.models.proposal_file import ProposalFile, read_proposal_file
from benchsuite_plugins.models.region_heads import RegionHeads
from benchsuite_plugins.models.resnet import ResNet
from benchsuite_plugins.models.roi_heads import ROIHeads
from benchsuite_plugins.models.target_batch import TargetBatch, collate_targets
from benchsuite_plugins.models.trainable import Trainable


@dataclass(frozen=True, slots=True)
class FastRCNNOptions:
    """Fast R-CNN; the defaults are those of the published R50-FPN, but for ``proposals.file``,
    which has to be given to predict anything."""

    input: InputOptions = field(default_factory=InputOptions)
    resnet: ResNetOptions = field(default_factory=ResNetOptions)
    fpn: FPNOptions = field(default_factory=FPNOptions)
    proposals: GivenProposalsOptions = field(default_factory=GivenProposalsOptions)
    roi_heads: ROIHeadsOptions = field(default_factory=ROIHeadsOptions)
    box_head: BoxHeadOptions = field(default_factory=BoxHeadOptions)


class FastRCNN(Detector, Trainable):
    """Looks at proposals from a file; when it trains, at those that come with the targets, since
    whatever resizes, crops or flips an image has to do the same to them."""

    def __init__(
        self,
        image_input: ImageInput,
        backbone: Backbone,
        options: GivenProposalsOptions,
        roi_heads: RegionHeads,
    ) -> None:
        super().__init__(image_input)
        self.backbone = backbone
        self.options = options
        self.roi_heads = roi_heads
        self.proposal_file: ProposalFile | None = None

    def read_proposals(self) -> None:
        """Read the file that the options name, where they name one.

        Raises:
            DataMissingError: it is not there.
            InputError: it holds something else, or is damaged.
        """
        if self.options.file:
            self.proposal_file = read_proposal_file(Path(self.options.file))

    @torch.inference_mode()
    def preprocess(self, images: Sequence[Image]) -> ProposalBatch:
        """Decoded images and their proposals to a batch on the model's device.

        Raises:
            UsageError: the options name no file.
            InputError: the file has no entry for an image.
        """
        if self.proposal_file is None:
            raise UsageError(
                "fast_rcnn finds no regions of its own; name a file of proposals for these "
                "images: model.proposals.file=FILE (.npz, or Detectron2's .pkl)"
            )
        given = [self.proposal_file.of(image.record) for image in images]
        batch = super().preprocess(images)
        proposals = collate_proposals(
            [each.boxes for each in given],
            [each.logits for each in given],
            batch.sizes.cpu().double() / batch.original_sizes.cpu().double(),
            batch.sizes,
            self.options.topk_test,
        )
        return with_proposals(batch, proposals)

    def detect(self, batch: ImageBatch) -> Detections:
        features = self.backbone(batch.pixels)
        detections: Detections = self.roi_heads(features, _proposals(batch), batch.sizes)
        return detections

    def losses(self, images: Sequence[Image], targets: Sequence[Target]) -> Mapping[str, Tensor]:
        """Losses of at least one image, each as large as the network shall see it.

        Raises:
            ContractError: the targets do not fit the images, or one has no proposals.
        """
        batch = self.image_input.without_resize(images, next(self.parameters()).device)
        truth = collate_targets(targets, batch.pixels)
        for index, target in enumerate(targets):
            if target.proposals is None:
                raise ContractError(
                    f"the model learns from proposals, and target {index} of the batch has none"
                )
        proposals = collate_proposals(
            [target.proposals for target in targets],
            [np.zeros(len(target.proposals), np.float32) for target in targets],
            torch.ones((len(targets), 2), dtype=torch.float64),
            batch.sizes,
            self.options.training.topk,
        )
        return self.batch_losses(with_proposals(batch, proposals), truth)

    def batch_losses(self, batch: ImageBatch, truth: TargetBatch) -> dict[str, Tensor]:
        features = self.backbone(batch.pixels)
        return self.roi_heads.losses(features, _proposals(batch), batch.sizes, truth)

    def describe(self) -> Mapping[str, Any]:
        """What a result depends on, as JSON-able values; among it what is in the file."""
        described = dict(super().describe())
        if self.proposal_file is not None:
            described["proposals"] = {
                "sha256": self.proposal_file.sha256,
                "images": len(self.proposal_file.images),
            }
        return described


def _proposals(batch: ImageBatch) -> Proposals:
    if not isinstance(batch, ProposalBatch):
        raise ContractError("a Fast R-CNN was given a batch without proposals; preprocess makes it")
    return batch.proposals


def build(options: FastRCNNOptions, num_classes: int) -> FastRCNN:
    """The model with initial weights, drawn from torch's global generator; no file is read.

    Raises:
        UsageError: options that do not fit each other.
    """
    backbone = FPN(ResNet(options.resnet), options.fpn, LastLevelMaxPool())
    return FastRCNN(
        ImageInput(options.input, backbone.size_divisibility),
        backbone,
        options.proposals,
        ROIHeads(
            options.roi_heads,
            options.box_head,
            None,
            num_classes=num_classes,
            channels=backbone.channels,
            strides=backbone.strides,
        ),
    )


def create(request: ModelRequest) -> FastRCNN:
    """The factory: ``request.options`` is a ``FastRCNNOptions`` (``None``: the defaults).

    Raises:
        UsageError: options that do not fit each other, or no categories.
        DataMissingError: there is no such file of proposals.
        InputError: weights or proposals cannot be read, or are those of something else.
    """
    options = request.options or FastRCNNOptions()
    model = create_detector(lambda num_classes: build(options, num_classes), request)
    model.read_proposals()
    return model
