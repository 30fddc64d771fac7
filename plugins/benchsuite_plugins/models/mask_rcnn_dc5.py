"""Mask R-CNN (He et al., 2017) on a ResNet's res5, dilated in place of its stride."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchsuite.protocols import ModelRequest
from benchsuite_plugins.models import mask_rcnn
from benchsuite_plugins.models.detector import create_detector
from benchsuite_plugins.models.faster_rcnn_dc5 import FasterRCNNDC5Options
from benchsuite_plugins.models.generalized_rcnn import GeneralizedRCNN
from benchsuite_plugins.models.image_input import ImageInput
from benchsuite_plugins.models.options import MaskHeadOptions
from benchsuite_plugins.models.resnet import ResNet
from benchsuite_plugins.models.single_level_sections import NO_DIVISIBILITY


@dataclass(frozen=True, slots=True)
class MaskRCNNDC5Options(FasterRCNNDC5Options):
    """Mask R-CNN without a pyramid; the defaults are those of the published R50-DC5."""

    mask_head: MaskHeadOptions = field(default_factory=MaskHeadOptions)


def build(options: MaskRCNNDC5Options, num_classes: int) -> GeneralizedRCNN:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    image_input = ImageInput(options.input, NO_DIVISIBILITY)
    return mask_rcnn.build_on(ResNet(options.resnet), image_input, options, num_classes)


def create(request: ModelRequest) -> GeneralizedRCNN:
    """The factory: ``request.options`` is a ``MaskRCNNDC5Options`` (``None``: the defaults).

    Raises:
        UsageError: options that do not fit each other, or no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or MaskRCNNDC5Options()
    return create_detector(lambda num_classes: build(options, num_classes), request)
