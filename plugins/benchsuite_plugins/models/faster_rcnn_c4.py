"""Faster R-CNN (Ren et al., 2015) on a ResNet's res4, whose res5 looks at each proposal."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchsuite.protocols import ModelRequest
from benchsuite_plugins.models.detector import create_detector
from benchsuite_plugins.models.generalized_rcnn import GeneralizedRCNN
from benchsuite_plugins.models.image_input import ImageInput
from benchsuite_plugins.models.options import (
    AnchorOptions,
    BoxHeadOptions,
    InputOptions,
    MaskHeadOptions,
    ResNetOptions,
    ROIHeadsOptions,
    RPNOptions,
)
from benchsuite_plugins.models.res5_heads import Res5ROIHeads
from benchsuite_plugins.models.resnet import ResNet
from benchsuite_plugins.models.rpn import RegionProposalNetwork
from benchsuite_plugins.models.single_level_sections import ANCHORS, NO_DIVISIBILITY, rpn_on


@dataclass(frozen=True, slots=True)
class FasterRCNNC4Options:
    """Faster R-CNN without a pyramid; the defaults are those of the published R50-C4."""

    input: InputOptions = field(default_factory=InputOptions)
    resnet: ResNetOptions = field(default_factory=lambda: ResNetOptions(out_features=("res4",)))
    anchors: AnchorOptions = ANCHORS
    rpn: RPNOptions = field(default_factory=lambda: rpn_on("res4"))
    roi_heads: ROIHeadsOptions = field(
        default_factory=lambda: ROIHeadsOptions(in_features=("res4",))
    )
    box_head: BoxHeadOptions = field(
        default_factory=lambda: BoxHeadOptions(num_fc=0, pooler_resolution=14)
    )


def build(options: FasterRCNNC4Options, num_classes: int) -> GeneralizedRCNN:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    return build_with(options, None, num_classes)


def build_with(
    options: FasterRCNNC4Options, mask_head: MaskHeadOptions | None, num_classes: int
) -> GeneralizedRCNN:
    """The same with a mask branch, where there are options for it.

    Raises:
        UsageError: options that do not fit each other.
    """
    backbone = ResNet(options.resnet)
    return GeneralizedRCNN(
        ImageInput(options.input, NO_DIVISIBILITY),
        backbone,
        RegionProposalNetwork(options.rpn, options.anchors, backbone.channels, backbone.strides),
        Res5ROIHeads(
            options.roi_heads,
            options.resnet,
            options.box_head,
            mask_head,
            num_classes=num_classes,
            channels=backbone.channels,
            strides=backbone.strides,
        ),
    )


def create(request: ModelRequest) -> GeneralizedRCNN:
    """The factory: ``request.options`` is a ``FasterRCNNC4Options`` (``None``: the defaults).

    Raises:
        UsageError: options that do not fit each other, or no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or FasterRCNNC4Options()
    return create_detector(lambda num_classes: build(options, num_classes), request)
