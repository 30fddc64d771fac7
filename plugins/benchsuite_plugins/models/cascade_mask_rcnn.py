"""Cascade Mask R-CNN (Cai and Vasconcelos, "Cascade R-CNN: high quality object detection and
instance segmentation", 2019) with a ResNet-FPN backbone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from benchsuite.protocols import ModelRequest
from benchsuite_plugins.models.cascade_heads import CascadeOptions, CascadeROIHeads
from benchsuite_plugins.models.detector import create_detector
from benchsuite_plugins.models.features import Backbone
from benchsuite_plugins.models.fpn import FPN, LastLevelMaxPool
from benchsuite_plugins.models.generalized_rcnn import GeneralizedRCNN
from benchsuite_plugins.models.image_input import ImageInput
from benchsuite_plugins.models.mask_rcnn import MaskRCNNSections
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
from benchsuite_plugins.models.rpn import RegionProposalNetwork
from benchsuite_plugins.models.training_options import RPNTrainingOptions


@dataclass(frozen=True, slots=True)
class CascadeMaskRCNNOptions:
    """Cascade Mask R-CNN; the defaults are those of the published R50-FPN."""

    input: InputOptions = field(default_factory=InputOptions)
    resnet: ResNetOptions = field(default_factory=ResNetOptions)
    fpn: FPNOptions = field(default_factory=FPNOptions)
    anchors: AnchorOptions = field(default_factory=AnchorOptions)
    rpn: RPNOptions = field(
        default_factory=lambda: RPNOptions(training=RPNTrainingOptions(post_nms_topk=2000))
    )
    roi_heads: ROIHeadsOptions = field(default_factory=ROIHeadsOptions)
    box_head: BoxHeadOptions = field(
        default_factory=lambda: BoxHeadOptions(cls_agnostic_bbox_reg=True)
    )
    cascade: CascadeOptions = field(default_factory=CascadeOptions)
    mask_head: MaskHeadOptions = field(default_factory=MaskHeadOptions)


class CascadeSections(MaskRCNNSections, Protocol):
    """What the options of every Cascade Mask R-CNN hold, whatever its backbone."""

    @property
    def cascade(self) -> CascadeOptions: ...


def build(options: CascadeMaskRCNNOptions, num_classes: int) -> GeneralizedRCNN:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    backbone = FPN(ResNet(options.resnet), options.fpn, LastLevelMaxPool())
    image_input = ImageInput(options.input, backbone.size_divisibility)
    return build_on(backbone, image_input, options, num_classes)


def build_on(
    backbone: Backbone, image_input: ImageInput, options: CascadeSections, num_classes: int
) -> GeneralizedRCNN:
    """Cascade Mask R-CNN on any backbone, its proposals and heads drawn from torch's global
    generator.

    Raises:
        UsageError: options that do not fit each other or the backbone.
    """
    return GeneralizedRCNN(
        image_input,
        backbone,
        RegionProposalNetwork(options.rpn, options.anchors, backbone.channels, backbone.strides),
        CascadeROIHeads(
            options.roi_heads,
            options.box_head,
            options.cascade,
            options.mask_head,
            num_classes=num_classes,
            channels=backbone.channels,
            strides=backbone.strides,
        ),
    )


def create(request: ModelRequest) -> GeneralizedRCNN:
    """The factory: ``request.options`` is a ``CascadeMaskRCNNOptions`` (``None``: the defaults).

    Raises:
        UsageError: options that do not fit each other, or no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or CascadeMaskRCNNOptions()
    return create_detector(lambda num_classes: build(options, num_classes), request)
