"""Mask R-CNN with a RegNet (Radosavovic et al., "Designing network design spaces", 2020) and a
feature pyramid.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from benchsuite.protocols import ModelRequest
from benchsuite_plugins.models.backbones.options import RegNetOptions
from benchsuite_plugins.models.backbones.regnet import RegNet
from benchsuite_plugins.models.detector import create_detector
from benchsuite_plugins.models.fpn import FPN, LastLevelMaxPool
from benchsuite_plugins.models.generalized_rcnn import GeneralizedRCNN
from benchsuite_plugins.models.image_input import ImageInput
from benchsuite_plugins.models.mask_rcnn import build_on
from benchsuite_plugins.models.options import (
    AnchorOptions,
    BoxHeadOptions,
    FPNOptions,
    InputOptions,
    MaskHeadOptions,
    ROIHeadsOptions,
    RPNOptions,
)


@dataclass(frozen=True, slots=True)
class MaskRCNNRegNetOptions:
    """Mask R-CNN with a RegNet; the defaults are those of the published RegNetX-4GF that was
    trained from scratch with large-scale jitter."""

    input: InputOptions = field(
        default_factory=lambda: InputOptions(pixel_std=(57.375, 57.12, 58.395))
    )
    regnet: RegNetOptions = field(default_factory=RegNetOptions)
    fpn: FPNOptions = field(
        default_factory=lambda: FPNOptions(in_features=("s1", "s2", "s3", "s4"), norm="SyncBN")
    )
    anchors: AnchorOptions = field(default_factory=AnchorOptions)
    rpn: RPNOptions = field(default_factory=lambda: RPNOptions(conv_dims=(-1, -1)))
    roi_heads: ROIHeadsOptions = field(default_factory=ROIHeadsOptions)
    box_head: BoxHeadOptions = field(
        default_factory=lambda: BoxHeadOptions(num_conv=4, num_fc=1, norm="SyncBN")
    )
    mask_head: MaskHeadOptions = field(default_factory=lambda: MaskHeadOptions(norm="SyncBN"))


def build(options: MaskRCNNRegNetOptions, num_classes: int) -> GeneralizedRCNN:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    backbone = FPN(RegNet(options.regnet), options.fpn, LastLevelMaxPool())
    image_input = ImageInput(options.input, backbone.size_divisibility)
    return build_on(backbone, image_input, options, num_classes)


def create(request: ModelRequest) -> GeneralizedRCNN:
    """The factory: ``request.options`` is a ``MaskRCNNRegNetOptions`` (``None``: the defaults).

    Raises:
        UsageError: options that do not fit each other, or no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or MaskRCNNRegNetOptions()
    return create_detector(lambda num_classes: build(options, num_classes), request)
