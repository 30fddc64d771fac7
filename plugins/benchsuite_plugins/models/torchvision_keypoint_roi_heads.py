"""The box branch, and the keypoint branch on what that detects, to the conventions of torchvision.

A keypoint's score is its heat map's peak, a logit; Detectron2's is the peak's share of the map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from benchsuite_plugins.models.instances import Detections, Proposals
from benchsuite_plugins.models.keypoint_decoder import find_peaks
from benchsuite_plugins.models.keypoint_head import KeypointHead, KeypointHeadOptions
from benchsuite_plugins.models.options import BoxHeadOptions, ROIHeadsOptions
from benchsuite_plugins.models.roi_pooler import make_pooler
from benchsuite_plugins.models.torchvision_roi_heads import TorchvisionROIHeads
from benchsuite_plugins.models.torchvision_roi_levels import assign_torchvision_levels


class TorchvisionKeypointROIHeads(TorchvisionROIHeads):
    """Box branch and keypoint branch.

    Args:
        channels, strides: of each feature map, by name.

    Raises:
        UsageError: an option names a feature map that there is not.
    """

    def __init__(
        self,
        options: ROIHeadsOptions,
        box_head: BoxHeadOptions,
        keypoint_head: KeypointHeadOptions,
        *,
        num_classes: int,
        num_keypoints: int,
        channels: Mapping[str, int],
        strides: Mapping[str, int],
    ) -> None:
        super().__init__(
            options, box_head, num_classes=num_classes, channels=channels, strides=strides
        )
        self.keypoint_pooler = make_pooler(
            options.in_features, strides, keypoint_head, assign_torchvision_levels
        )
        self.keypoint_head = KeypointHead(
            channels[options.in_features[0]], num_keypoints, keypoint_head
        )

    def forward(
        self, features: Mapping[str, Tensor], proposals: Proposals, sizes: Tensor
    ) -> Detections:
        """Detections with keypoints, in pixels of the resized image.

        Args:
            features: (N, C, H, W) maps, by name.
            sizes: (N, 2), height and width of each image before padding.
        """
        detections = super().forward(features, proposals, sizes)
        pooled = self.keypoint_pooler(features, detections.boxes, detections.image_index)
        heat_maps = self.keypoint_head(pooled)
        return replace(detections, keypoints=find_peaks(heat_maps, detections.boxes))
