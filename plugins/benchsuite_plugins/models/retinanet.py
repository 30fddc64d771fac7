"""RetinaNet (Lin et al., "Focal loss for dense object detection", 2017) with a ResNet-FPN."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchsuite.protocols import ModelRequest
from benchsuite_plugins.models.anchor_generator import AnchorGenerator
from benchsuite_plugins.models.box_coder import BoxCoder
from benchsuite_plugins.models.dense_detector import DenseDetector
from benchsuite_plugins.models.dense_options import RetinaNetHeadOptions
from benchsuite_plugins.models.detector import create_detector
from benchsuite_plugins.models.features import check_names
from benchsuite_plugins.models.fpn import FPN, LastLevelP6P7
from benchsuite_plugins.models.image_input import ImageInput
from benchsuite_plugins.models.options import (
    AnchorOptions,
    FPNOptions,
    InputOptions,
    ResNetOptions,
)
from benchsuite_plugins.models.resnet import ResNet
from benchsuite_plugins.models.retinanet_head import RetinaNetHead
from benchsuite_plugins.models.retinanet_losses import RetinaNetLosses

PYRAMID_FEATURES = ("res3", "res4", "res5")


def octave_sizes(*sizes: float) -> tuple[tuple[float, ...], ...]:
    """Of each level's size three anchors within an octave: the size times 1, 2^(1/3), 2^(2/3)."""
    return tuple(tuple(size * 2 ** (third / 3) for third in range(3)) for size in sizes)


@dataclass(frozen=True, slots=True)
class RetinaNetOptions:
    """RetinaNet; the defaults are those of the published R50-FPN."""

    input: InputOptions = field(default_factory=InputOptions)
    resnet: ResNetOptions = field(
        default_factory=lambda: ResNetOptions(out_features=PYRAMID_FEATURES)
    )
    fpn: FPNOptions = field(default_factory=lambda: FPNOptions(in_features=PYRAMID_FEATURES))
    anchors: AnchorOptions = field(
        default_factory=lambda: AnchorOptions(sizes=octave_sizes(32, 64, 128, 256, 512))
    )
    retinanet: RetinaNetHeadOptions = field(default_factory=RetinaNetHeadOptions)


class RetinaNet(DenseDetector):
    """Its score of a class at an anchor is the sigmoid of the logit."""


def build(options: RetinaNetOptions, num_classes: int) -> RetinaNet:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    bottom_up = ResNet(options.resnet)
    source = options.retinanet.top_block_in_feature
    check_names("retinanet.top_block_in_feature", (source,), bottom_up.channels)
    top_block = LastLevelP6P7(bottom_up.channels[source], options.fpn.out_channels, source)
    backbone = FPN(bottom_up, options.fpn, top_block)
    in_features = options.retinanet.in_features
    check_names("retinanet.in_features", in_features, backbone.channels)
    anchors = AnchorGenerator(options.anchors, [backbone.strides[name] for name in in_features])
    coder = BoxCoder(options.retinanet.bbox_reg_weights)
    return RetinaNet(
        ImageInput(options.input, backbone.size_divisibility),
        backbone,
        RetinaNetHead(
            options.fpn.out_channels,
            anchors.shared_anchors_per_cell,
            num_classes,
            options.retinanet,
        ),
        anchors,
        coder.weights,
        options.retinanet,
        num_classes,
        RetinaNetLosses(options.retinanet.training, coder, num_classes),
    )


def create(request: ModelRequest) -> RetinaNet:
    """The factory: ``request.options`` is a ``RetinaNetOptions`` (``None``: the defaults).

    Raises:
        UsageError: options that do not fit each other, or no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or RetinaNetOptions()
    return create_detector(lambda num_classes: build(options, num_classes), request)
