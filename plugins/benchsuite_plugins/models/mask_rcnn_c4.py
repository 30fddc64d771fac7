"""Mask R-CNN (He et al., 2017) on a ResNet's res4, whose res5 looks at each proposal."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchsuite.protocols import ModelRequest
from benchsuite_plugins.models import faster_rcnn_c4
from benchsuite_plugins.models.detector import create_detector
from benchsuite_plugins.models.faster_rcnn_c4 import FasterRCNNC4Options
from benchsuite_plugins.models.generalized_rcnn import GeneralizedRCNN
from benchsuite_plugins.models.options import MaskHeadOptions


@dataclass(frozen=True, slots=True)
class MaskRCNNC4Options(FasterRCNNC4Options):
    """Mask R-CNN without a pyramid; the defaults are those of the published R50-C4.

    Attributes:
        mask_head: on what res5 leaves; regions are pooled as ``box_head`` says.
    """

    mask_head: MaskHeadOptions = field(default_factory=lambda: MaskHeadOptions(num_conv=0))


def build(options: MaskRCNNC4Options, num_classes: int) -> GeneralizedRCNN:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    return faster_rcnn_c4.build_with(options, options.mask_head, num_classes)


def create(request: ModelRequest) -> GeneralizedRCNN:
    """The factory: ``request.options`` is a ``MaskRCNNC4Options`` (``None``: the defaults).

    Raises:
        UsageError: options that do not fit each other, or no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or MaskRCNNC4Options()
    return create_detector(lambda num_classes: build(options, num_classes), request)
