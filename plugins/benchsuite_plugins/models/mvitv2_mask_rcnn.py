"""Mask R-CNN with a multiscale vision transformer (Li et al., "MViTv2: improved multiscale vision
transformers for classification and detection", 2022) and a feature pyramid.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from benchsuite.protocols import ModelRequest
from benchsuite_plugins.models import mvitv2_sections
from benchsuite_plugins.models.backbones.mvit import MViT
from benchsuite_plugins.models.backbones.options import MViTOptions
from benchsuite_plugins.models.detector import create_detector
from benchsuite_plugins.models.fpn import FPN, LastLevelMaxPool
from benchsuite_plugins.models.generalized_rcnn import GeneralizedRCNN
from benchsuite_plugins.models.image_input import ImageInput
from benchsuite_plugins.models.image_padding import PaddingOptions, make_padding
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
class MViTv2MaskRCNNOptions:
    """Mask R-CNN with MViTv2; the defaults are those of the published MViTv2-T."""

    input: InputOptions = mvitv2_sections.INPUT
    padding: PaddingOptions = field(default_factory=PaddingOptions)
    mvit: MViTOptions = field(
        default_factory=lambda: MViTOptions(last_block_indexes=(0, 2, 7, 9), drop_path_rate=0.2)
    )
    fpn: FPNOptions = mvitv2_sections.FPN
    anchors: AnchorOptions = field(default_factory=AnchorOptions)
    rpn: RPNOptions = field(default_factory=RPNOptions)
    roi_heads: ROIHeadsOptions = field(default_factory=ROIHeadsOptions)
    box_head: BoxHeadOptions = field(default_factory=BoxHeadOptions)
    mask_head: MaskHeadOptions = field(default_factory=MaskHeadOptions)


def build(options: MViTv2MaskRCNNOptions, num_classes: int) -> GeneralizedRCNN:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    backbone = FPN(MViT(options.mvit), options.fpn, LastLevelMaxPool())
    padding = make_padding(options.padding, backbone.size_divisibility)
    return build_on(backbone, ImageInput(options.input, padding), options, num_classes)


def create(request: ModelRequest) -> GeneralizedRCNN:
    """The factory: ``request.options`` is a ``MViTv2MaskRCNNOptions`` (``None``: the defaults).

    Raises:
        UsageError: options that do not fit each other, or no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or MViTv2MaskRCNNOptions()
    return create_detector(lambda num_classes: build(options, num_classes), request)
