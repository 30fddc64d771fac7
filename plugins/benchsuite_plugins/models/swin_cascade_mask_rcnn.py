"""Cascade Mask R-CNN with a Swin transformer (Liu et al., "Swin transformer: hierarchical vision
transformer using shifted windows", 2021) and a feature pyramid.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from benchsuite.protocols import ModelRequest
from benchsuite_plugins.models import vitdet_sections
from benchsuite_plugins.models.backbones.options import SwinOptions
from benchsuite_plugins.models.backbones.swin import SwinTransformer
from benchsuite_plugins.models.cascade_heads import CascadeOptions
from benchsuite_plugins.models.cascade_mask_rcnn import build_on
from benchsuite_plugins.models.detector import create_detector
from benchsuite_plugins.models.fpn import FPN, LastLevelMaxPool
from benchsuite_plugins.models.generalized_rcnn import GeneralizedRCNN
from benchsuite_plugins.models.image_input import ImageInput
from benchsuite_plugins.models.image_padding import PaddingOptions, make_padding
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
class SwinCascadeMaskRCNNOptions:
    """Cascade Mask R-CNN with a Swin transformer; the defaults are those of the published
    Swin-B."""

    input: InputOptions = vitdet_sections.INPUT
    padding: PaddingOptions = vitdet_sections.PADDING
    swin: SwinOptions = field(default_factory=SwinOptions)
    fpn: FPNOptions = field(
        default_factory=lambda: FPNOptions(in_features=("p0", "p1", "p2", "p3"), norm="LN")
    )
    anchors: AnchorOptions = field(default_factory=AnchorOptions)
    rpn: RPNOptions = vitdet_sections.RPN
    roi_heads: ROIHeadsOptions = field(default_factory=ROIHeadsOptions)
    box_head: BoxHeadOptions = vitdet_sections.CASCADE_BOX_HEAD
    cascade: CascadeOptions = field(default_factory=CascadeOptions)
    mask_head: MaskHeadOptions = vitdet_sections.MASK_HEAD


def build(options: SwinCascadeMaskRCNNOptions, num_classes: int) -> GeneralizedRCNN:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    backbone = FPN(SwinTransformer(options.swin), options.fpn, LastLevelMaxPool())
    padding = make_padding(options.padding, backbone.size_divisibility)
    return build_on(backbone, ImageInput(options.input, padding), options, num_classes)


def create(request: ModelRequest) -> GeneralizedRCNN:
    """The factory: ``request.options`` is a ``SwinCascadeMaskRCNNOptions`` (``None``: the
    defaults).

    Raises:
        UsageError: options that do not fit each other, or no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or SwinCascadeMaskRCNNOptions()
    return create_detector(lambda num_classes: build(options, num_classes), request)
