"""RetinaNet with a ResNet-FPN, as torchvision has it (``retinanet_resnet50_fpn``, ``_v2``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn

from benchsuite.protocols import ModelRequest
from benchsuite_plugins.models.anchor_generator import AnchorGenerator
from benchsuite_plugins.models.dense_detector import select_detections
from benchsuite_plugins.models.dense_options import DenseOptions, RetinaNetHeadOptions
from benchsuite_plugins.models.detector import create_detector
from benchsuite_plugins.models.features import check_names
from benchsuite_plugins.models.fpn import FPN, LastLevelP6P7
from benchsuite_plugins.models.image_input import ImageBatch
from benchsuite_plugins.models.instances import Detections
from benchsuite_plugins.models.options import AnchorOptions, FPNOptions, ResNetOptions
from benchsuite_plugins.models.presence import drop_absent_unless_waiting
from benchsuite_plugins.models.resnet import ResNet
from benchsuite_plugins.models.retinanet import PYRAMID_FEATURES, octave_sizes
from benchsuite_plugins.models.retinanet_head import RetinaNetHead
from benchsuite_plugins.models.torchvision_anchor_generator import TorchvisionAnchorGenerator
from benchsuite_plugins.models.torchvision_input import TorchvisionInput, TorchvisionInputOptions
from benchsuite_plugins.models.torchvision_rcnn import (
    TorchvisionDetector,
    set_frozen_eps,
)


def whole_octave_sizes(*sizes: float) -> tuple[tuple[float, ...], ...]:
    """``octave_sizes``, cut off to whole pixels."""
    return tuple(tuple(float(int(size)) for size in level) for level in octave_sizes(*sizes))


@dataclass(frozen=True, slots=True)
class TorchvisionRetinaNetOptions:
    """RetinaNet; the defaults are those of ``retinanet_resnet50_fpn``.

    torchvision's own weights count the background among the classes, as the first.

    Attributes:
        frozen_norm_eps: added to the variance by frozen batch norms; 0 for the first weights that
            torchvision published (``COCO_V1``).
        p6_from: the map that the pyramid's sixth level is made from; ``"res5"`` in ``_v2``.
    """

    input: TorchvisionInputOptions = field(default_factory=TorchvisionInputOptions)
    resnet: ResNetOptions = field(
        default_factory=lambda: ResNetOptions(stride_in_1x1=False, out_features=PYRAMID_FEATURES)
    )
    frozen_norm_eps: float = 1e-5
    fpn: FPNOptions = field(default_factory=lambda: FPNOptions(in_features=PYRAMID_FEATURES))
    p6_from: Literal["p5", "res5"] = "p5"
    anchors: AnchorOptions = field(
        default_factory=lambda: AnchorOptions(sizes=whole_octave_sizes(32, 64, 128, 256, 512))
    )
    retinanet: RetinaNetHeadOptions = field(
        default_factory=lambda: RetinaNetHeadOptions(detections_per_image=300)
    )


class TorchvisionRetinaNet(TorchvisionDetector):
    """Boxes are clipped to the image before the suppression.

    Args:
        anchor_generator: of the levels ``options.in_features``.
        weights: of the deltas that the head predicts.
    """

    def __init__(
        self,
        image_input: TorchvisionInput,
        backbone: FPN,
        head: nn.Module,
        anchor_generator: AnchorGenerator,
        weights: Sequence[float],
        options: DenseOptions,
        num_classes: int,
    ) -> None:
        super().__init__(image_input)
        self.backbone = backbone
        self.head = head
        self.anchor_generator = anchor_generator
        self.weights = tuple(weights)
        self.options = options
        self.num_classes = num_classes

    def detect(self, batch: ImageBatch) -> Detections:
        features = self.backbone(batch.pixels)
        maps: list[Tensor] = [features[name] for name in self.options.in_features]
        found = select_detections(
            self.head(maps),
            self.anchor_generator(maps),
            self.weights,
            self.options,
            batch.sizes,
        )
        return drop_absent_unless_waiting(found)


def build(options: TorchvisionRetinaNetOptions, num_classes: int) -> TorchvisionRetinaNet:
    """The model with initial weights, drawn from torch's global generator.

    Raises:
        UsageError: options that do not fit each other.
    """
    bottom_up = ResNet(options.resnet)
    check_names("resnet.out_features", ("res5",), bottom_up.channels)
    channels = {"p5": options.fpn.out_channels, "res5": bottom_up.channels["res5"]}
    top_block = LastLevelP6P7(channels[options.p6_from], options.fpn.out_channels, options.p6_from)
    backbone = FPN(bottom_up, options.fpn, top_block)
    set_frozen_eps(backbone, options.frozen_norm_eps)
    in_features = options.retinanet.in_features
    check_names("retinanet.in_features", in_features, backbone.channels)
    anchors = TorchvisionAnchorGenerator(
        options.anchors, [backbone.strides[name] for name in in_features]
    )
    return TorchvisionRetinaNet(
        TorchvisionInput(options.input, backbone.size_divisibility),
        backbone,
        RetinaNetHead(
            options.fpn.out_channels,
            anchors.shared_anchors_per_cell,
            num_classes,
            options.retinanet,
        ),
        anchors,
        options.retinanet.bbox_reg_weights,
        options.retinanet,
        num_classes,
    )


def create(request: ModelRequest) -> TorchvisionRetinaNet:
    """The factory: ``request.options`` is a ``TorchvisionRetinaNetOptions`` (``None``: the
    defaults).

    Raises:
        UsageError: options that do not fit each other, or no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    options = request.options or TorchvisionRetinaNetOptions()
    return create_detector(lambda num_classes: build(options, num_classes), request)
