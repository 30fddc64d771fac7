"""The box branch, and the keypoint branch on what that detects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from benchsuite_plugins.models.instances import Detections, Proposals
from benchsuite_plugins.models.keypoint_decoder import decode_keypoints
from benchsuite_plugins.models.keypoint_head import (
    HEAT_MAP_SCALE,
    KeypointHead,
    KeypointHeadOptions,
)
from benchsuite_plugins.models.keypoint_targets import keypoint_cells, keypoint_loss
from benchsuite_plugins.models.options import BoxHeadOptions, ROIHeadsOptions
from benchsuite_plugins.models.proposal_labels import LabelledProposals
from benchsuite_plugins.models.roi_heads import ROIHeads
from benchsuite_plugins.models.roi_pooler import make_pooler
from benchsuite_plugins.models.target_batch import TargetBatch


class KeypointROIHeads(ROIHeads):
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
            options, box_head, None, num_classes=num_classes, channels=channels, strides=strides
        )
        self.num_keypoints = num_keypoints
        self.keypoint_training = keypoint_head.training
        self.keypoint_pooler = make_pooler(options.in_features, strides, keypoint_head)
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
        detections = self.detect_boxes(features, proposals, sizes)
        pooled = self.keypoint_pooler(features, detections.boxes, detections.image_index)
        heat_maps = self.keypoint_head(pooled)
        return replace(detections, keypoints=decode_keypoints(heat_maps, detections.boxes))

    def object_losses(
        self, features: Mapping[str, Tensor], objects: LabelledProposals, truth: TargetBatch
    ) -> dict[str, Tensor]:
        """Of the keypoint branch, which looks at regions that show a labelled keypoint."""
        keypoints = truth.required_keypoints(self.num_keypoints)[objects.matched]
        size = HEAT_MAP_SCALE * self.keypoint_pooler.resolution
        cells, valid = keypoint_cells(keypoints, objects.boxes, size)
        rows = valid.any(dim=1).nonzero().squeeze(1)
        pooled = self.keypoint_pooler(features, objects.boxes[rows], objects.image_index[rows])
        total = keypoint_loss(self.keypoint_head(pooled), cells[rows], valid[rows])
        if self.keypoint_training.normalize_by_visible:
            count = valid.sum().clamp(min=1)
        else:
            training = self.options.training
            regions = training.batch_size_per_image * training.positive_fraction
            count = torch.tensor(
                len(truth.counts) * regions * self.num_keypoints, device=total.device
            )
        return {"loss_keypoint": total / count * self.keypoint_training.loss_weight}
