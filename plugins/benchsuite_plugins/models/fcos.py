"""FCOS (Tian et al., "FCOS: a simple and strong anchor-free object detector", 2020) with a
ResNet-FPN."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchsuite.protocols import ModelRequest
from benchsuite_plugins.models.anchor_generator import AnchorGenerator
from benchsuite_plugins.models.dense_detector import DenseDetector
from benchsuite_plugins.models.dense_options import FCOSHeadOptions
from benchsuite_plugins.models.detector import create_detector
from benchsuite_plugins.models.fcos_head import FCOSHead
from benchsuite_plugins.models.fcos_losses import FCOSLosses
from benchsuite_plugins.models.features import check_names
from benchsuite_plugins.models.fpn import FPN, LastLevelP6P7
from benchsuite_plugins.models.image_input import ImageInput
from benchsuite_plugins.models.options import (
    AnchorOptions,
    FPNOptions,
    InputOptions,
    ResNetOptions,
)
from benchsuite_plugins.models.point_coder import PointCoder
from benchsuite_plugins.models.resnet import ResNet

PYRAMID_FEATURES = ("res3", "res4", "res5")


@dataclass(frozen=True, slots=True)
class FCOSOptions:
    """FCOS; the defaults are those of the published R50-FPN."""

    input: InputOptions = field(default_factory=InputOptions)
    resnet: ResNetOptions = field(
        default_factory=lambda: ResNetOptions(out_features=PYRAMID_FEATURES)
    )
    fpn: FPNOptions = field(default_factory=lambda: FPNOptions(in_features=PYRAMID_FEATURES))
    fcos: FCOSHeadOptions = field(default_factory=FCOSHeadOptions)


class FCOS(DenseDetector):
    """Its anchors are points: in the middle of each cell one square of the size of the cell.

    The score of a class at a point is the geometric mean of the class's and the centre-ness's
    sigmoid.
    """


def build(options: FCOSOptions, num_classes: int) -> FCOS:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    channels = options.fpn.out_channels
    bottom_up = ResNet(options.resnet)
    backbone = FPN(bottom_up, options.fpn, LastLevelP6P7(channels, channels, "p5"))
    in_features = options.fcos.in_features
    check_names("fcos.in_features", in_features, backbone.channels)
    strides = [backbone.strides[name] for name in in_features]
    squares = AnchorOptions(
        sizes=tuple((float(stride),) for stride in strides), aspect_ratios=((1.0,),), offset=0.5
    )
    coder = PointCoder()
    return FCOS(
        ImageInput(options.input, backbone.size_divisibility),
        backbone,
        FCOSHead(channels, num_classes, options.fcos),
        AnchorGenerator(squares, strides),
        (),
        options.fcos,
        num_classes,
        FCOSLosses(options.fcos.training, coder, num_classes),
    )


def create(request: ModelRequest) -> FCOS:
    """The factory: ``request.options`` is a ``FCOSOptions`` (``None``: the defaults).

    Raises:
        UsageError: options that do not fit each other, or no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or FCOSOptions()
    return create_detector(lambda num_classes: build(options, num_classes), request)
