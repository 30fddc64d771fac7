"""Faster R-CNN (Ren et al., 2015) on a ResNet's res5, dilated in place of its stride (Dai et al.,
"Deformable convolutional networks", 2017, section 3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchsuite.protocols import ModelRequest
from benchsuite_plugins.models import faster_rcnn
from benchsuite_plugins.models.detector import create_detector
from benchsuite_plugins.models.generalized_rcnn import GeneralizedRCNN
from benchsuite_plugins.models.image_input import ImageInput
from benchsuite_plugins.models.options import (
    AnchorOptions,
    BoxHeadOptions,
    InputOptions,
    ResNetOptions,
    ROIHeadsOptions,
    RPNOptions,
)
from benchsuite_plugins.models.resnet import ResNet
from benchsuite_plugins.models.single_level_sections import ANCHORS, NO_DIVISIBILITY, rpn_on


@dataclass(frozen=True, slots=True)
class FasterRCNNDC5Options:
    """Faster R-CNN without a pyramid; the defaults are those of the published R50-DC5."""

    input: InputOptions = field(default_factory=InputOptions)
    resnet: ResNetOptions = field(
        default_factory=lambda: ResNetOptions(res5_dilation=2, out_features=("res5",))
    )
    anchors: AnchorOptions = ANCHORS
    rpn: RPNOptions = field(default_factory=lambda: rpn_on("res5"))
    roi_heads: ROIHeadsOptions = field(
        default_factory=lambda: ROIHeadsOptions(in_features=("res5",))
    )
    box_head: BoxHeadOptions = field(default_factory=BoxHeadOptions)


def build(options: FasterRCNNDC5Options, num_classes: int) -> GeneralizedRCNN:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    image_input = ImageInput(options.input, NO_DIVISIBILITY)
    return faster_rcnn.build_on(ResNet(options.resnet), image_input, options, num_classes)


def create(request: ModelRequest) -> GeneralizedRCNN:
    """The factory: ``request.options`` is a ``FasterRCNNDC5Options`` (``None``: the defaults).

    Raises:
        UsageError: options that do not fit each other, or no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or FasterRCNNDC5Options()
    return create_detector(lambda num_classes: build(options, num_classes), request)
