"""Region proposal network (Ren et al., "Faster R-CNN", 2015): the head, and the selection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite_kernels import ops
from benchsuite_kernels.ops import AnchorGrid
from benchsuite_kernels.ops.head_maps import anchor_rows
from benchsuite_plugins.models.anchor_generator import AnchorGenerator
from benchsuite_plugins.models.box_coder import BoxCoder
from benchsuite_plugins.models.features import check_names
from benchsuite_plugins.models.instances import Proposals
from benchsuite_plugins.models.layers.conv import Conv2d
from benchsuite_plugins.models.layers.fill import normal_fill
from benchsuite_plugins.models.options import AnchorOptions, RPNOptions
from benchsuite_plugins.models.presence import drop_absent, drop_absent_unless_waiting
from benchsuite_plugins.models.rpn_losses import RPNLosses
from benchsuite_plugins.models.suppression import suppress
from benchsuite_plugins.models.target_batch import TargetBatch


class RPNHead(nn.Module):
    """Objectness and box deltas of every anchor; one set of weights for all levels.

    Args:
        in_channels: of every level.
        anchors_per_cell: A.
        conv_dims: channels of the 3x3 convolutions; -1: ``in_channels``.
    """

    def __init__(self, in_channels: int, anchors_per_cell: int, conv_dims: tuple[int, ...]) -> None:
        super().__init__()
        convs, channels = [], in_channels
        for conv_dim in conv_dims:
            out_channels = in_channels if conv_dim == -1 else conv_dim
            convs.append(Conv2d(channels, out_channels, 3, padding=1, activation=F.relu_))
            channels = out_channels
        if len(convs) == 1:
            self.conv: nn.Module = convs[0]
        else:
            self.conv = nn.Sequential()
            for index, conv in enumerate(convs):
                self.conv.add_module(f"conv{index}", conv)
        self.objectness_logits = nn.Conv2d(channels, anchors_per_cell, 1)
        self.anchor_deltas = nn.Conv2d(channels, anchors_per_cell * 4, 1)
        for layer in (*convs, self.objectness_logits, self.anchor_deltas):
            normal_fill(layer, std=0.01)

    def forward(self, features: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """A (N, C, H, W) a level to logits (N, A, H, W) and deltas (N, A * 4, H, W) a level."""
        logits, deltas = [], []
        for feature in features:
            hidden = self.conv(feature)
            logits.append(self.objectness_logits(hidden))
            deltas.append(self.anchor_deltas(hidden))
        return logits, deltas


class RegionProposalNetwork(nn.Module):
    """From feature maps to proposals.

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
        super().__init__()
        check_names("rpn.in_features", options.in_features, channels)
        self.options = options
        self.box_coder = BoxCoder(options.bbox_reg_weights)
        self.anchor_generator = AnchorGenerator(
            anchors, [strides[name] for name in options.in_features]
        )
        self.rpn_head = RPNHead(
            channels[options.in_features[0]],
            self.anchor_generator.shared_anchors_per_cell,
            options.conv_dims,
        )
        self.rpn_losses = RPNLosses(options.training, self.box_coder)

    def forward(self, features: Mapping[str, Tensor], sizes: Tensor) -> Proposals:
        """The best proposals of each image.

        Args:
            features: (N, C, H, W) maps, by name.
            sizes: (N, 2), height and width of each image before padding.
        """
        proposals = select_proposals(
            *self._rate_anchors(features),
            sizes,
            self.box_coder,
            self.options,
            pre_nms_topk=self.options.pre_nms_topk_test,
            post_nms_topk=self.options.post_nms_topk_test,
        )
        return drop_absent_unless_waiting(proposals)

    def losses(
        self, features: Mapping[str, Tensor], sizes: Tensor, truth: TargetBatch
    ) -> tuple[Proposals, dict[str, Tensor]]:
        """What the heads shall learn from, without gradient, and this network's own losses.

        Args:
            features: (N, C, H, W) maps, by name.
            sizes: (N, 2), height and width of each image before padding.
        """
        logits, deltas, anchors = self._rate_anchors(features)
        losses = self.rpn_losses(
            torch.cat([anchor_rows(level, 1).squeeze(-1) for level in logits], dim=1),
            torch.cat([anchor_rows(level, 4) for level in deltas], dim=1),
            torch.cat(anchors.levels()),
            truth,
        )
        with torch.no_grad():
            proposals = select_proposals(
                logits,
                deltas,
                anchors,
                sizes,
                self.box_coder,
                self.options,
                pre_nms_topk=self.options.training.pre_nms_topk,
                post_nms_topk=self.options.training.post_nms_topk,
            )
        return drop_absent(proposals), losses

    def _rate_anchors(
        self, features: Mapping[str, Tensor]
    ) -> tuple[list[Tensor], list[Tensor], AnchorGrid]:
        """Logits (N, A, H, W) and deltas (N, A * 4, H, W), a level each, and the anchors."""
        maps = [features[name] for name in self.options.in_features]
        logits, deltas = self.rpn_head(maps)
        return logits, deltas, self.anchor_generator(maps)


def select_proposals(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    anchors: AnchorGrid,
    sizes: Tensor,
    box_coder: BoxCoder,
    options: RPNOptions,
    *,
    pre_nms_topk: int,
    post_nms_topk: int,
) -> Proposals:
    """The best anchors of each level, decoded, clipped and suppressed level by level.

    What is not finite or has no extent is dropped before the suppression.

    Args:
        logits: a (N, A, H, W) a level.
        deltas: a (N, A * 4, H, W) a level.
        sizes: (N, 2), height and width of each image before padding.
        pre_nms_topk: anchors a level that enter the suppression.
        post_nms_topk: proposals an image that leave it.

    Returns:
        Rows of each image, some of them absent (see ``presence``).
    """
    boxes, ranks, levels = ops.rpn_selection(
        logits,
        deltas,
        anchors,
        sizes,
        weights=box_coder.weights,
        topk=pre_nms_topk,
        min_size=options.min_size,
    )
    best = suppress(boxes, ranks, levels, iou_threshold=options.nms_thresh, limit=post_nms_topk)
    return Proposals(best.boxes, best.scores, best.image_index)
