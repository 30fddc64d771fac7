"""The heads of RetinaNet (Lin et al., "Focal loss for dense object detection", 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from torch import Tensor, nn

from benchsuite_plugins.models.dense_options import DenseOptions, SubnetNorm
from benchsuite_plugins.models.layers.conv import NORMS
from benchsuite_plugins.models.layers.fill import normal_fill


class RetinaNetHead(nn.Module):
    """Class logits and box deltas of every anchor; one set of weights for all levels.

    Args:
        in_channels: of every level.
        anchors_per_cell: A.
        num_classes: K.
    """

    def __init__(
        self, in_channels: int, anchors_per_cell: int, num_classes: int, options: DenseOptions
    ) -> None:
        super().__init__()
        subnet = (in_channels, in_channels, options.num_convs, options.norm)
        self.cls_subnet = conv_subnet(*subnet)
        self.bbox_subnet = conv_subnet(*subnet)
        self.cls_score = conv3x3(in_channels, anchors_per_cell * num_classes)
        self.bbox_pred = conv3x3(in_channels, anchors_per_cell * 4)
        set_prior(self.cls_score, options.prior_prob)

    def forward(self, features: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """A (N, C, H, W) a level to logits (N, A * K, H, W) and deltas (N, A * 4, H, W) a level."""
        logits = [self.cls_score(self.cls_subnet(feature)) for feature in features]
        deltas = [self.bbox_pred(self.bbox_subnet(feature)) for feature in features]
        return logits, deltas


def conv_subnet(in_channels: int, channels: int, num_convs: int, norm: SubnetNorm) -> nn.Sequential:
    """3x3 convolutions with biases, each with its normalisation and a ReLU, as one flat list."""
    layers: list[nn.Module] = []
    for index in range(num_convs):
        layers.append(conv3x3(channels if index else in_channels, channels))
        if norm:
            layers.append(NORMS[norm](channels))
        layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def conv3x3(in_channels: int, out_channels: int) -> nn.Conv2d:
    """With a bias, and small random weights."""
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
    normal_fill(conv, std=0.01)
    return conv


def set_prior(classifier: nn.Conv2d, probability: float) -> None:
    """Start with every class at this probability, so that the background, which is nearly
    everything, does not drown the first steps of training."""
    if classifier.bias is not None:
        nn.init.constant_(classifier.bias, -log((1 - probability) / probability))
