"""What looks at each proposal, to the conventions of torchvision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor, nn

from benchsuite_plugins.models.box_coder import BoxCoder
from benchsuite_plugins.models.box_head import BoxHead, BoxPredictor, select_detections
from benchsuite_plugins.models.features import check_names
from benchsuite_plugins.models.instances import Detections, Proposals
from benchsuite_plugins.models.mask_head import MaskHead, mask_probabilities
from benchsuite_plugins.models.options import BoxHeadOptions, MaskHeadOptions, ROIHeadsOptions
from benchsuite_plugins.models.presence import drop_absent_unless_waiting
from benchsuite_plugins.models.roi_pooler import make_pooler
from benchsuite_plugins.models.torchvision_roi_levels import assign_torchvision_levels

MIN_SIZE = 1e-2
"""Pixels of the resized image: a detection with a shorter side goes before the suppression."""


class TorchvisionROIHeads(nn.Module):
    """The box branch.

    Args:
        channels, strides: of each feature map, by name.

    Raises:
        UsageError: an option names a feature map that there is not.
    """

    def __init__(
        self,
        options: ROIHeadsOptions,
        box_head: BoxHeadOptions,
        *,
        num_classes: int,
        channels: Mapping[str, int],
        strides: Mapping[str, int],
    ) -> None:
        super().__init__()
        check_names("roi_heads.in_features", options.in_features, channels)
        self.options = options
        self.box_coder = BoxCoder(box_head.bbox_reg_weights)
        self.box_pooler = make_pooler(
            options.in_features, strides, box_head, assign_torchvision_levels
        )
        self.box_head = BoxHead(channels[options.in_features[0]], box_head)
        self.box_predictor = BoxPredictor(
            self.box_head.out_channels, num_classes, box_head.cls_agnostic_bbox_reg
        )

    def forward(
        self, features: Mapping[str, Tensor], proposals: Proposals, sizes: Tensor
    ) -> Detections:
        """Detections in pixels of the resized image.

        Args:
            features: (N, C, H, W) maps, by name.
            sizes: (N, 2), height and width of each image before padding.
        """
        pooled = self.box_pooler(features, proposals.boxes, proposals.image_index)
        logits, deltas = self.box_predictor(self.box_head(pooled))
        found = select_detections(
            logits,
            deltas,
            proposals,
            sizes,
            self.options,
            weights=self.box_coder.weights,
            softmax=True,
            min_size=MIN_SIZE,
        )
        return drop_absent_unless_waiting(found)


class TorchvisionMaskROIHeads(TorchvisionROIHeads):
    """The box branch, and the mask branch on what that detects.

    Args:
        channels, strides: of each feature map, by name.
    """

    def __init__(
        self,
        options: ROIHeadsOptions,
        box_head: BoxHeadOptions,
        mask_head: MaskHeadOptions,
        *,
        num_classes: int,
        channels: Mapping[str, int],
        strides: Mapping[str, int],
    ) -> None:
        super().__init__(
            options, box_head, num_classes=num_classes, channels=channels, strides=strides
        )
        self.mask_pooler = make_pooler(
            options.in_features, strides, mask_head, assign_torchvision_levels
        )
        self.mask_head = MaskHead(channels[options.in_features[0]], num_classes, mask_head)

    def forward(
        self, features: Mapping[str, Tensor], proposals: Proposals, sizes: Tensor
    ) -> Detections:
        """Detections with masks, in pixels of the resized image.

        Args:
            features: (N, C, H, W) maps, by name.
            sizes: (N, 2), height and width of each image before padding.
        """
        detections = super().forward(features, proposals, sizes)
        pooled = self.mask_pooler(features, detections.boxes, detections.image_index)
        logits = self.mask_head(pooled)
        return replace(detections, masks=mask_probabilities(logits, detections.labels))
