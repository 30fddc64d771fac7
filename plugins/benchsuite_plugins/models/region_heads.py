"""What looks at each region: a branch that finds boxes, and one that draws masks in them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor, nn

from benchsuite_plugins.models.features import check_names
from benchsuite_plugins.models.instances import Detections, Proposals
from benchsuite_plugins.models.mask_head import MaskHead, mask_loss, mask_probabilities
from benchsuite_plugins.models.mask_targets import mask_targets
from benchsuite_plugins.models.options import MaskHeadOptions, ROIHeadsOptions
from benchsuite_plugins.models.proposal_labels import LabelledProposals, label_proposals
from benchsuite_plugins.models.roi_pooler import make_pooler
from benchsuite_plugins.models.target_batch import TargetBatch


class RegionHeads(nn.Module, ABC):
    """A subclass says how boxes are found, and whether masks are drawn (``draw_masks``).

    Args:
        channels: of each feature map, by name.

    Raises:
        UsageError: an option names a feature map that there is not.
    """

    def __init__(
        self,
        options: ROIHeadsOptions,
        *,
        num_classes: int,
        channels: Mapping[str, int],
    ) -> None:
        super().__init__()
        check_names("roi_heads.in_features", options.in_features, channels)
        self.options = options
        self.num_classes = num_classes
        self.in_channels = channels[options.in_features[0]]
        self.mask_head: MaskHead | None = None

    def draw_masks(self, options: MaskHeadOptions, strides: Mapping[str, int]) -> None:
        """Add a mask branch with a pooler of its own.

        Args:
            strides: of each feature map, by name.
        """
        self.mask_pooler = make_pooler(self.options.in_features, strides, options)
        self.mask_head = MaskHead(self.in_channels, self.num_classes, options)

    def mask_features(
        self, features: Mapping[str, Tensor], boxes: Tensor, image_index: Tensor
    ) -> Tensor:
        """What the mask head looks at: (R, C, S, S).

        Args:
            features: (N, C, H, W) maps, by name.
            boxes: (R, 4), xyxy, input pixels.
            image_index: (R,) int64.
        """
        pooled: Tensor = self.mask_pooler(features, boxes, image_index)
        return pooled

    def forward(
        self, features: Mapping[str, Tensor], proposals: Proposals, sizes: Tensor
    ) -> Detections:
        """Detections in pixels of the resized image.

        Args:
            features: (N, C, H, W) maps, by name.
            sizes: (N, 2), height and width of each image before padding.
        """
        detections = self.detect_boxes(features, proposals, sizes)
        if self.mask_head is None:
            return detections
        seen = self.mask_features(features, detections.boxes, detections.image_index)
        logits = self.mask_head(seen)
        return replace(detections, masks=mask_probabilities(logits, detections.labels))

    @abstractmethod
    def detect_boxes(
        self, features: Mapping[str, Tensor], proposals: Proposals, sizes: Tensor
    ) -> Detections:
        """The box branch alone."""

    def losses(
        self,
        features: Mapping[str, Tensor],
        proposals: Proposals,
        sizes: Tensor,
        truth: TargetBatch,
    ) -> dict[str, Tensor]:
        """Every branch's terms, weighted: () float32 each.

        Args:
            features: (N, C, H, W) maps, by name.
            sizes: (N, 2), height and width of each image before padding.

        Raises:
            ContractError: a label is no class, or a branch has nothing to learn from.
        """
        truth.check_labels(self.num_classes)
        regions = label_proposals(proposals, truth, self.options.training, self.num_classes)
        return self.region_losses(features, regions, sizes, truth)

    @abstractmethod
    def region_losses(
        self,
        features: Mapping[str, Tensor],
        regions: LabelledProposals,
        sizes: Tensor,
        truth: TargetBatch,
    ) -> dict[str, Tensor]:
        """Every branch's terms, of labelled regions."""

    def object_losses(
        self, features: Mapping[str, Tensor], objects: LabelledProposals, truth: TargetBatch
    ) -> dict[str, Tensor]:
        """Of what looks at objects alone: the mask branch, where there is one."""
        if self.mask_head is None:
            return {}
        return self.mask_losses(
            self.mask_head(self.mask_features(features, objects.boxes, objects.image_index)),
            objects,
            truth,
        )

    def mask_losses(
        self, logits: Tensor, objects: LabelledProposals, truth: TargetBatch
    ) -> dict[str, Tensor]:
        """Of the mask head's logits (R, K, M, M), or (R, 1, M, M)."""
        masks = truth.required_masks()
        targets = mask_targets(masks, objects.matched, objects.boxes, logits.shape[-1])
        return {"loss_mask": mask_loss(logits, objects.labels, targets)}
