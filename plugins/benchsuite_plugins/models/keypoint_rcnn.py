"""Keypoint R-CNN (He et al., "Mask R-CNN", 2017, section 5) with a ResNet-FPN backbone."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchsuite.errors import UsageError
from benchsuite.protocols import ModelRequest
from benchsuite_plugins.models.detector import create_detector
from benchsuite_plugins.models.fpn import FPN, LastLevelMaxPool
from benchsuite_plugins.models.generalized_rcnn import GeneralizedRCNN
from benchsuite_plugins.models.image_input import ImageInput
from benchsuite_plugins.models.keypoint_head import KeypointHeadOptions
from benchsuite_plugins.models.keypoint_roi_heads import KeypointROIHeads
from benchsuite_plugins.models.options import (
    AnchorOptions,
    BoxHeadOptions,
    FPNOptions,
    InputOptions,
    ResNetOptions,
    ROIHeadsOptions,
    RPNOptions,
)
from benchsuite_plugins.models.resnet import ResNet
from benchsuite_plugins.models.rpn import RegionProposalNetwork


@dataclass(frozen=True, slots=True)
class KeypointRCNNOptions:
    """Keypoint R-CNN; the defaults are those of the published R50-FPN."""

    input: InputOptions = field(default_factory=InputOptions)
    resnet: ResNetOptions = field(default_factory=ResNetOptions)
    fpn: FPNOptions = field(default_factory=FPNOptions)
    anchors: AnchorOptions = field(default_factory=AnchorOptions)
    rpn: RPNOptions = field(default_factory=RPNOptions)
    roi_heads: ROIHeadsOptions = field(default_factory=ROIHeadsOptions)
    box_head: BoxHeadOptions = field(default_factory=BoxHeadOptions)
    keypoint_head: KeypointHeadOptions = field(default_factory=KeypointHeadOptions)


def build(options: KeypointRCNNOptions, num_classes: int, num_keypoints: int) -> GeneralizedRCNN:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    backbone = FPN(ResNet(options.resnet), options.fpn, LastLevelMaxPool())
    return GeneralizedRCNN(
        ImageInput(options.input, backbone.size_divisibility),
        backbone,
        RegionProposalNetwork(options.rpn, options.anchors, backbone.channels, backbone.strides),
        KeypointROIHeads(
            options.roi_heads,
            options.box_head,
            options.keypoint_head,
            num_classes=num_classes,
            num_keypoints=num_keypoints,
            channels=backbone.channels,
            strides=backbone.strides,
        ),
    )


def count_keypoints(options: KeypointHeadOptions, request: ModelRequest) -> int:
    """How many keypoints the model has: what its options state, else what the dataset has.

    Raises:
        UsageError: neither says, or they differ.
    """
    stated = options.num_keypoints
    layout = None if request.keypoints is None else len(request.keypoints.names)
    if stated is None and layout is None:
        raise UsageError(
            "the model takes its keypoints from the dataset, and that has none: state their number "
            "(model.keypoint_head.num_keypoints=17)"
        )
    if stated is not None and layout is not None and stated != layout:
        raise UsageError(
            f"model.keypoint_head.num_keypoints={stated}, but the dataset has {layout} keypoints; "
            f"for a model of these write model.keypoint_head.num_keypoints={layout}"
        )
    return stated if stated is not None else layout or 0


def create(request: ModelRequest) -> GeneralizedRCNN:
    """The factory: ``request.options`` is a ``KeypointRCNNOptions`` (``None``: the defaults).

    Raises:
        UsageError: options that do not fit each other or the dataset, no categories, or nothing
            that says how many keypoints there are.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or KeypointRCNNOptions()
    num_keypoints = count_keypoints(options.keypoint_head, request)
    return create_detector(lambda num_classes: build(options, num_classes, num_keypoints), request)
