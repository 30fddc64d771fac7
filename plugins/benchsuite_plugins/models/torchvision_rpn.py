"""Region proposal network to the conventions of torchvision."""

from __future__ import annotations

from collections.abc import Mapping

from benchsuite_plugins.models.options import AnchorOptions, RPNOptions
from benchsuite_plugins.models.rpn import RegionProposalNetwork
from benchsuite_plugins.models.torchvision_anchor_generator import TorchvisionAnchorGenerator


class TorchvisionRPN(RegionProposalNetwork):
    """From feature maps to proposals, by torchvision's anchors.

    Proposals are ranked by their logits; torchvision ranks them by the logits' float32 sigmoid,
    which is the same up to logits of about 16, where that becomes 1.

    Args:
        channels, strides: of each feature map, by name.

    Raises:
        UsageError: options that do not fit each other or the feature maps.
    """

    def __init__(
        self,
        options: RPNOptions,
        anchors: AnchorOptions,
        channels: Mapping[str, int],
        strides: Mapping[str, int],
    ) -> None:
        super().__init__(options, anchors, channels, strides)
        self.anchor_generator = TorchvisionAnchorGenerator(
            anchors, [strides[name] for name in options.in_features]
        )
