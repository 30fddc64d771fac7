"""Mask R-CNN (He et al., 2017) with a ResNet-FPN backbone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from benchsuite.protocols import ModelRequest
from benchsuite_plugins.models.detector import create_detector
from benchsuite_plugins.models.faster_rcnn import FasterRCNNSections
from benchsuite_plugins.models.features import Backbone
from benchsuite_plugins.models.fpn import FPN, LastLevelMaxPool
from benchsuite_plugins.models.generalized_rcnn import GeneralizedRCNN
from benchsuite_plugins.models.image_input import ImageInput
from benchsuite_plugins.models.options import (
    AnchorOptions,
    BoxHeadOptions,
    FPNOptions,
    InputOptions,
    MaskHeadOptions,
    ResNetOptions,
    ROIHeadsOptions,
    RPNOptions,
)
from benchsuite_plugins.models.resnet import ResNet
from benchsuite_plugins.models.roi_heads import ROIHeads
from benchsuite_plugins.models.rpn import RegionProposalNetwork


@dataclass(frozen=True, slots=True)
class MaskRCNNOptions:
    """Mask R-CNN; the defaults are those of the published R50-FPN."""

    input: InputOptions = field(default_factory=InputOptions)
    resnet: ResNetOptions = field(default_factory=ResNetOptions)
    fpn: FPNOptions = field(default_factory=FPNOptions)
    anchors: AnchorOptions = field(default_factory=AnchorOptions)
    rpn: RPNOptions = field(default_factory=RPNOptions)
    roi_heads: ROIHeadsOptions = field(default_factory=ROIHeadsOptions)
    box_head: BoxHeadOptions = field(default_factory=BoxHeadOptions)
    mask_head: MaskHeadOptions = field(default_factory=MaskHeadOptions)


class MaskRCNNSections(FasterRCNNSections, Protocol):
    """What the options of every Mask R-CNN hold, whatever its backbone."""

    @property
    def mask_head(self) -> MaskHeadOptions: ...


def build(options: MaskRCNNOptions, num_classes: int) -> GeneralizedRCNN:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    backbone = FPN(ResNet(options.resnet), options.fpn, LastLevelMaxPool())
    image_input = ImageInput(options.input, backbone.size_divisibility)
    return build_on(backbone, image_input, options, num_classes)


def build_on(
    backbone: Backbone, image_input: ImageInput, options: MaskRCNNSections, num_classes: int
) -> GeneralizedRCNN:
    """Mask R-CNN on any backbone, its proposals and heads drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other or the backbone.
    """
    return GeneralizedRCNN(
        image_input,
        backbone,
        RegionProposalNetwork(options.rpn, options.anchors, backbone.channels, backbone.strides),
        ROIHeads(
            options.roi_heads,
            options.box_head,
            options.mask_head,
            num_classes=num_classes,
            channels=backbone.channels,
            strides=backbone.strides,
        ),
    )


def create(request: ModelRequest) -> GeneralizedRCNN:
    """The factory: ``request.options`` is a ``MaskRCNNOptions`` (``None``: the defaults).

    Raises:
        UsageError: options that do not fit each other, or no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or MaskRCNNOptions()
    return create_detector(lambda num_classes: build(options, num_classes), request)
