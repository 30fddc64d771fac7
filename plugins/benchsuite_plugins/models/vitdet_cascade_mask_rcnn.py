"""Cascade Mask R-CNN with a plain vision transformer and a simple feature pyramid (Li et al.,
"Exploring plain vision transformer backbones for object detection", 2022).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from benchsuite.protocols import ModelRequest
from benchsuite_plugins.models import vitdet_sections
from benchsuite_plugins.models.backbones.options import SimpleFeaturePyramidOptions, ViTOptions
from benchsuite_plugins.models.backbones.simple_feature_pyramid import SimpleFeaturePyramid
from benchsuite_plugins.models.backbones.vit import ViT
from benchsuite_plugins.models.cascade_heads import CascadeOptions
from benchsuite_plugins.models.cascade_mask_rcnn import build_on
from benchsuite_plugins.models.detector import create_detector
from benchsuite_plugins.models.fpn import LastLevelMaxPool
from benchsuite_plugins.models.generalized_rcnn import GeneralizedRCNN
from benchsuite_plugins.models.image_input import ImageInput
from benchsuite_plugins.models.image_padding import PaddingOptions, make_padding
from benchsuite_plugins.models.options import (
    AnchorOptions,
    BoxHeadOptions,
    InputOptions,
    MaskHeadOptions,
    ROIHeadsOptions,
    RPNOptions,
)


@dataclass(frozen=True, slots=True)
class ViTDetCascadeMaskRCNNOptions:
    """ViTDet with Cascade Mask R-CNN's heads; the defaults are those of the published ViT-B."""

    input: InputOptions = vitdet_sections.INPUT
    padding: PaddingOptions = vitdet_sections.PADDING
    vit: ViTOptions = field(default_factory=ViTOptions)
    simple_feature_pyramid: SimpleFeaturePyramidOptions = field(
        default_factory=SimpleFeaturePyramidOptions
    )
    anchors: AnchorOptions = field(default_factory=AnchorOptions)
    rpn: RPNOptions = vitdet_sections.RPN
    roi_heads: ROIHeadsOptions = field(default_factory=ROIHeadsOptions)
    box_head: BoxHeadOptions = vitdet_sections.CASCADE_BOX_HEAD
    cascade: CascadeOptions = field(default_factory=CascadeOptions)
    mask_head: MaskHeadOptions = vitdet_sections.MASK_HEAD


def build(options: ViTDetCascadeMaskRCNNOptions, num_classes: int) -> GeneralizedRCNN:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    backbone = SimpleFeaturePyramid(
        ViT(options.vit), options.simple_feature_pyramid, LastLevelMaxPool()
    )
    padding = make_padding(options.padding, backbone.size_divisibility)
    return build_on(backbone, ImageInput(options.input, padding), options, num_classes)


def create(request: ModelRequest) -> GeneralizedRCNN:
    """The factory: ``request.options`` is a ``ViTDetCascadeMaskRCNNOptions`` (``None``: the
    defaults).

    Raises:
        UsageError: options that do not fit each other, or no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or ViTDetCascadeMaskRCNNOptions()
    return create_detector(lambda num_classes: build(options, num_classes), request)
