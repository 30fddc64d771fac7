"""What looks at each proposal once: the box branch of Fast R-CNN, and the mask branch on what that
detects."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from benchsuite_plugins.models.box_coder import BoxCoder
from benchsuite_plugins.models.box_head import BoxHead, select_detections
from benchsuite_plugins.models.federated_predictor import make_losses, make_predictor
from benchsuite_plugins.models.instances import Detections, Proposals
from benchsuite_plugins.models.options import BoxHeadOptions, MaskHeadOptions, ROIHeadsOptions
from benchsuite_plugins.models.presence import drop_absent_unless_waiting
from benchsuite_plugins.models.proposal_labels import LabelledProposals
from benchsuite_plugins.models.region_heads import RegionHeads
from benchsuite_plugins.models.roi_pooler import make_pooler
from benchsuite_plugins.models.target_batch import TargetBatch


class ROIHeads(RegionHeads):
    """Box branch, then (where there are options for it) mask branch.

    Args:
        channels, strides: of each feature map, by name.
        mask_head: ``None``: boxes alone.

    Raises:
        UsageError: an option names a feature map that there is not.
    """

    def __init__(
        self,
        options: ROIHeadsOptions,
        box_head: BoxHeadOptions,
        mask_head: MaskHeadOptions | None,
        *,
        num_classes: int,
        channels: Mapping[str, int],
        strides: Mapping[str, int],
    ) -> None:
        super().__init__(options, num_classes=num_classes, channels=channels)
        self.box_coder = BoxCoder(box_head.bbox_reg_weights)
        self.box_pooler = make_pooler(options.in_features, strides, box_head)
        self.box_head = BoxHead(self.in_channels, box_head)
        self.box_predictor = make_predictor(self.box_head.out_channels, num_classes, box_head)
        self.fast_rcnn_losses = make_losses(box_head, self.box_coder, self.box_predictor)
        if mask_head is not None:
            self.draw_masks(mask_head, strides)

    def detect_boxes(
        self, features: Mapping[str, Tensor], proposals: Proposals, sizes: Tensor
    ) -> Detections:
        """The box branch alone."""
        pooled = self.box_pooler(features, proposals.boxes, proposals.image_index)
        logits, deltas = self.box_predictor(self.box_head(pooled))
        exclusive = self.box_predictor.exclusive
        found = select_detections(
            logits if exclusive else self.box_predictor.probabilities(logits),
            deltas,
            proposals,
            sizes,
            self.options,
            weights=self.box_coder.weights,
            softmax=exclusive,
        )
        return drop_absent_unless_waiting(found)

    def region_losses(
        self,
        features: Mapping[str, Tensor],
        regions: LabelledProposals,
        sizes: Tensor,
        truth: TargetBatch,
    ) -> dict[str, Tensor]:
        """Of the box branch, and of what looks at objects alone."""
        pooled = self.box_pooler(features, regions.boxes, regions.image_index)
        logits, deltas = self.box_predictor(self.box_head(pooled))
        return {
            **self.fast_rcnn_losses(logits, deltas, regions, truth),
            **self.object_losses(features, regions.objects(), truth),
        }
