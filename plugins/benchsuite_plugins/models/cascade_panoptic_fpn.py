"""Panoptic FPN (Kirillov et al., 2019) whose things are found by a cascade (Cai and Vasconcelos,
2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchsuite.protocols import ModelRequest
from benchsuite.specs import Category
from benchsuite_plugins.models import panoptic_fpn
from benchsuite_plugins.models.cascade_heads import CascadeOptions, CascadeROIHeads
from benchsuite_plugins.models.fpn import FPN
from benchsuite_plugins.models.image_model import create_model
from benchsuite_plugins.models.options import BoxHeadOptions, RPNOptions
from benchsuite_plugins.models.panoptic_fpn import PanopticFPN, PanopticFPNOptions
from benchsuite_plugins.models.training_options import RPNTrainingOptions


@dataclass(frozen=True, slots=True)
class CascadePanopticFPNOptions(PanopticFPNOptions):
    """Panoptic FPN with a cascade; the defaults are those of the published one with the backbone
    and the norms of Panoptic FPN R50."""

    rpn: RPNOptions = field(
        default_factory=lambda: RPNOptions(training=RPNTrainingOptions(post_nms_topk=2000))
    )
    box_head: BoxHeadOptions = field(
        default_factory=lambda: BoxHeadOptions(cls_agnostic_bbox_reg=True)
    )
    cascade: CascadeOptions = field(default_factory=CascadeOptions)


def build(options: CascadePanopticFPNOptions, categories: Sequence[Category]) -> PanopticFPN:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other, or categories without a thing.
    """

    def make_heads(backbone: FPN, num_classes: int) -> CascadeROIHeads:
        return CascadeROIHeads(
            options.roi_heads,
            options.box_head,
            options.cascade,
            options.mask_head,
            num_classes=num_classes,
            channels=backbone.channels,
            strides=backbone.strides,
        )

    return panoptic_fpn.build_with(make_heads, options, categories)


def create(request: ModelRequest) -> PanopticFPN:
    """The factory: ``request.options`` is a ``CascadePanopticFPNOptions`` (``None``: the defaults).

    ``request.categories`` may be in any order: their ``isthing`` tells which branch predicts them.

    Raises:
        UsageError: options that do not fit each other, no categories, or none that is a thing.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or CascadePanopticFPNOptions()
    return create_model(lambda categories: build(options, categories), request)
