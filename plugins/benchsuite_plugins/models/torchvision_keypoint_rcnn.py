"""Keypoint R-CNN with a ResNet-FPN, as torchvision has it (``keypointrcnn_resnet50_fpn``)."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchsuite.protocols import ModelRequest
from benchsuite_plugins.models.detector import create_detector
from benchsuite_plugins.models.fpn import FPN, LastLevelMaxPool
from benchsuite_plugins.models.keypoint_head import KeypointHeadOptions
from benchsuite_plugins.models.keypoint_rcnn import count_keypoints
from benchsuite_plugins.models.options import (
    AnchorOptions,
    BoxHeadOptions,
    FPNOptions,
    ResNetOptions,
    ROIHeadsOptions,
    RPNOptions,
)
from benchsuite_plugins.models.resnet import ResNet
from benchsuite_plugins.models.torchvision_input import TorchvisionInput, TorchvisionInputOptions
from benchsuite_plugins.models.torchvision_keypoint_roi_heads import TorchvisionKeypointROIHeads
from benchsuite_plugins.models.torchvision_rcnn import (
    TorchvisionRCNN,
    set_frozen_eps,
)
from benchsuite_plugins.models.torchvision_rpn import TorchvisionRPN


@dataclass(frozen=True, slots=True)
class TorchvisionKeypointRCNNOptions:
    """Keypoint R-CNN; the defaults are those of ``keypointrcnn_resnet50_fpn``.

    Attributes:
        frozen_norm_eps: added to the variance by frozen batch norms; 0 for the weights that
            torchvision publishes (``COCO_V1``).
    """

    input: TorchvisionInputOptions = field(default_factory=TorchvisionInputOptions)
    resnet: ResNetOptions = field(default_factory=lambda: ResNetOptions(stride_in_1x1=False))
    frozen_norm_eps: float = 1e-5
    fpn: FPNOptions = field(default_factory=FPNOptions)
    anchors: AnchorOptions = field(default_factory=AnchorOptions)
    rpn: RPNOptions = field(default_factory=lambda: RPNOptions(min_size=1e-3))
    roi_heads: ROIHeadsOptions = field(default_factory=ROIHeadsOptions)
    box_head: BoxHeadOptions = field(
        default_factory=lambda: BoxHeadOptions(pooler_type="ROIAlign", pooler_sampling_ratio=2)
    )
    keypoint_head: KeypointHeadOptions = field(
        default_factory=lambda: KeypointHeadOptions(pooler_type="ROIAlign", pooler_sampling_ratio=2)
    )


def build(
    options: TorchvisionKeypointRCNNOptions, num_classes: int, num_keypoints: int
) -> TorchvisionRCNN:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    backbone = FPN(ResNet(options.resnet), options.fpn, LastLevelMaxPool())
    set_frozen_eps(backbone, options.frozen_norm_eps)
    return TorchvisionRCNN(
        TorchvisionInput(options.input, backbone.size_divisibility),
        backbone,
        TorchvisionRPN(options.rpn, options.anchors, backbone.channels, backbone.strides),
        TorchvisionKeypointROIHeads(
            options.roi_heads,
            options.box_head,
            options.keypoint_head,
            num_classes=num_classes,
            num_keypoints=num_keypoints,
            channels=backbone.channels,
            strides=backbone.strides,
        ),
    )


def create(request: ModelRequest) -> TorchvisionRCNN:
    """The factory: ``request.options`` is a ``TorchvisionKeypointRCNNOptions`` (``None``: the
    defaults).

    Raises:
        UsageError: options that do not fit each other or the dataset, no categories, or nothing
            that says how many keypoints there are.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or TorchvisionKeypointRCNNOptions()
    num_keypoints = count_keypoints(options.keypoint_head, request)
    return create_detector(lambda num_classes: build(options, num_classes, num_keypoints), request)
