"""What looks at each proposal: the box branch, and the mask branch on what that detects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor, nn

from benchsuite_plugins.models.box_coder import BoxCoder
from benchsuite_plugins.models.box_head import BoxHead, select_detections
from benchsuite_plugins.models.features import check_names
from benchsuite_plugins.models.federated_predictor import make_losses, make_predictor
from benchsuite_plugins.models.instances import Detections, Proposals
from benchsuite_plugins.models.mask_head import MaskHead, mask_loss, mask_probabilities
from benchsuite_plugins.models.mask_targets import mask_targets
from benchsuite_plugins.models.options import BoxHeadOptions, MaskHeadOptions, ROIHeadsOptions
from benchsuite_plugins.models.proposal_labels import LabelledProposals, label_proposals
from benchsuite_plugins.models.roi_pooler import ROIPooler, make_pooler
from benchsuite_plugins.models.target_batch import TargetBatch


class ROIHeads(nn.Module):
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
        super().__init__()
        check_names("roi_heads.in_features", options.in_features, channels)
        in_channels = channels[options.in_features[0]]
        self.options = options
        self.num_classes = num_classes
        self.box_coder = BoxCoder(box_head.bbox_reg_weights)
        self.box_pooler = make_pooler(options.in_features, strides, box_head)
        self.box_head = BoxHead(in_channels, box_head)
        self.box_predictor = make_predictor(self.box_head.out_channels, num_classes, box_head)
        self.fast_rcnn_losses = make_losses(box_head, self.box_coder, self.box_predictor)
        self.mask_pooler: ROIPooler | None = None
        self.mask_head: MaskHead | None = None
        if mask_head is not None:
            self.mask_pooler = make_pooler(options.in_features, strides, mask_head)
            self.mask_head = MaskHead(in_channels, num_classes, mask_head)

    def forward(
        self, features: Mapping[str, Tensor], proposals: Proposals, sizes: Tensor
    ) -> Detections:
        """Detections in pixels of the resized image.

        Args:
            features: (N, C, H, W) maps, by name.
            sizes: (N, 2), height and width of each image before padding.
        """
        detections = self.detect_boxes(features, proposals, sizes)
        if self.mask_pooler is None or self.mask_head is None:
            return detections
        pooled = self.mask_pooler(features, detections.boxes, detections.image_index)
        logits = self.mask_head(pooled)
        return replace(detections, masks=mask_probabilities(logits, detections.labels))

    def detect_boxes(
        self, features: Mapping[str, Tensor], proposals: Proposals, sizes: Tensor
    ) -> Detections:
        """The box branch alone."""
        pooled = self.box_pooler(features, proposals.boxes, proposals.image_index)
        logits, deltas = self.box_predictor(self.box_head(pooled))
        deltas = deltas.unflatten(1, (-1, 4))
        boxes = self.box_coder.decode(deltas, proposals.boxes[:, None])
        scores = self.box_predictor.probabilities(logits)
        return select_detections(scores, boxes, proposals.image_index, sizes, self.options)

    def losses(
        self, features: Mapping[str, Tensor], proposals: Proposals, truth: TargetBatch
    ) -> dict[str, Tensor]:
        """Every branch's terms, weighted: () float32 each.

        Args:
            features: (N, C, H, W) maps, by name.

        Raises:
            ContractError: a label is no class, or a branch has nothing to learn from.
        """
        truth.check_labels(self.num_classes)
        regions = label_proposals(proposals, truth, self.options.training, self.num_classes)
        return {
            **self.box_losses(features, regions, truth),
            **self.object_losses(features, regions.objects(), truth),
        }

    def box_losses(
        self, features: Mapping[str, Tensor], regions: LabelledProposals, truth: TargetBatch
    ) -> dict[str, Tensor]:
        """Of the box branch alone."""
        pooled = self.box_pooler(features, regions.boxes, regions.image_index)
        logits, deltas = self.box_predictor(self.box_head(pooled))
        return self.fast_rcnn_losses(logits, deltas, regions, truth)

    def object_losses(
        self, features: Mapping[str, Tensor], objects: LabelledProposals, truth: TargetBatch
    ) -> dict[str, Tensor]:
        """Of what looks at objects alone: the mask branch, where there is one."""
        if self.mask_pooler is None or self.mask_head is None:
            return {}
        pooled = self.mask_pooler(features, objects.boxes, objects.image_index)
        logits = self.mask_head(pooled)
        masks = truth.required_masks()
        targets = mask_targets(masks, objects.matched, objects.boxes, logits.shape[-1])
        return {"loss_mask": mask_loss(logits, objects.labels, targets)}
