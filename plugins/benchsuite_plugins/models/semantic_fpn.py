"""Semantic FPN: a ResNet-FPN backbone and the semantic branch of Panoptic FPN (Kirillov et al.,
"Panoptic feature pyramid networks", 2019) alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from benchsuite.protocols import ModelRequest
from benchsuite.records import Prediction
from benchsuite_plugins.models.fpn import FPN, LastLevelMaxPool
from benchsuite_plugins.models.image_input import ImageBatch, ImageInput
from benchsuite_plugins.models.image_model import ImageModel, create_model
from benchsuite_plugins.models.options import FPNOptions, InputOptions, ResNetOptions
from benchsuite_plugins.models.resnet import ResNet
from benchsuite_plugins.models.semantic_head import SemanticFPNHead, SemanticHeadOptions
from benchsuite_plugins.models.semantic_map import SemanticOutputs, semantic_maps
from benchsuite_plugins.models.target_batch import TargetBatch
from benchsuite_plugins.models.trainable import Trainable


@dataclass(frozen=True, slots=True)
class SemanticFPNOptions:
    """Semantic FPN; the defaults are those of the published R50-FPN."""

    input: InputOptions = field(default_factory=InputOptions)
    resnet: ResNetOptions = field(default_factory=ResNetOptions)
    fpn: FPNOptions = field(default_factory=FPNOptions)
    sem_seg_head: SemanticHeadOptions = field(default_factory=SemanticHeadOptions)


class SemanticFPN(ImageModel, Trainable):
    """Class ``i`` of its head is the model's category ``i``."""

    def __init__(
        self, image_input: ImageInput, backbone: FPN, sem_seg_head: SemanticFPNHead
    ) -> None:
        super().__init__(image_input)
        self.backbone = backbone
        self.sem_seg_head = sem_seg_head

    @torch.inference_mode()
    def forward(self, batch: ImageBatch) -> SemanticOutputs:
        """A batch to logits, on the same device."""
        logits = self.sem_seg_head(self.backbone(batch.pixels))
        return SemanticOutputs(logits, self.sem_seg_head.stride, batch.sizes, batch.original_sizes)

    @torch.inference_mode()
    def postprocess(self, outputs: SemanticOutputs) -> list[Prediction]:
        """Logits to the category of every pixel of the images as they were given."""
        return [Prediction(semantic=labels) for labels in semantic_maps(outputs)]

    def batch_losses(self, batch: ImageBatch, truth: TargetBatch) -> dict[str, Tensor]:
        features = self.backbone(batch.pixels)
        return self.sem_seg_head.losses(features, truth.required_semantic())


def build(options: SemanticFPNOptions, num_classes: int) -> SemanticFPN:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    backbone = FPN(ResNet(options.resnet), options.fpn, LastLevelMaxPool())
    return SemanticFPN(
        ImageInput(options.input, backbone.size_divisibility),
        backbone,
        SemanticFPNHead(
            options.sem_seg_head,
            num_classes=num_classes,
            channels=backbone.channels,
            strides=backbone.strides,
        ),
    )


def create(request: ModelRequest) -> SemanticFPN:
    """The factory: ``request.options`` is a ``SemanticFPNOptions`` (``None``: the defaults).

    Raises:
        UsageError: options that do not fit each other, or no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or SemanticFPNOptions()
    return create_model(lambda categories: build(options, len(categories)), request)
