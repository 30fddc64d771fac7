"""The heads of FCOS (Tian et al., "FCOS: fully convolutional one-stage object detection", 2019)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from benchsuite_plugins.models.dense_options import FCOSHeadOptions
from benchsuite_plugins.models.retinanet_head import conv3x3, conv_subnet, set_prior


class FCOSHead(nn.Module):
    """Class logits, distances to the box's sides and centre-ness of every point; one set of
    weights for all levels, without a scale a level (the distances are in strides).

    Args:
        in_channels: of every level.
        num_classes: K.
    """

    def __init__(self, in_channels: int, num_classes: int, options: FCOSHeadOptions) -> None:
        super().__init__()
        subnet = (in_channels, options.conv_dim, options.num_convs, options.norm)
        self.cls_subnet = conv_subnet(*subnet)
        self.bbox_subnet = conv_subnet(*subnet)
        out_channels = options.conv_dim if options.num_convs else in_channels
        self.cls_score = conv3x3(out_channels, num_classes)
        self.bbox_pred = conv3x3(out_channels, 4)
        self.ctrness = conv3x3(out_channels, 1)
        set_prior(self.cls_score, options.prior_prob)

    def forward(
        self, features: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """A (N, C, H, W) a level to logits (N, K, H, W), distances (N, 4, H, W), which may be
        negative, and centre-ness logits (N, 1, H, W) a level."""
        logits, deltas, centerness = [], [], []
        for feature in features:
            logits.append(self.cls_score(self.cls_subnet(feature)))
            hidden = self.bbox_subnet(feature)
            deltas.append(self.bbox_pred(hidden))
            centerness.append(self.ctrness(hidden))
        return logits, deltas, centerness
