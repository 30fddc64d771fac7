"""What looks at each proposal where there is no pyramid (He et al., "Deep residual learning for
image recognition", 2015, appendix A): the ResNet's last stage, for all branches together."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from benchsuite.errors import UsageError
from benchsuite_plugins.models.box_coder import BoxCoder
from benchsuite_plugins.models.box_head import select_detections
from benchsuite_plugins.models.federated_predictor import make_losses, make_predictor
from benchsuite_plugins.models.instances import Detections, Proposals
from benchsuite_plugins.models.mask_head import MaskHead
from benchsuite_plugins.models.options import (
    BoxHeadOptions,
    MaskHeadOptions,
    ResNetOptions,
    ROIHeadsOptions,
)
from benchsuite_plugins.models.presence import drop_absent_unless_waiting
from benchsuite_plugins.models.proposal_labels import LabelledProposals
from benchsuite_plugins.models.region_heads import RegionHeads
from benchsuite_plugins.models.resnet import make_stage
from benchsuite_plugins.models.roi_pooler import make_pooler
from benchsuite_plugins.models.target_batch import TargetBatch


class Res5ROIHeads(RegionHeads):
    """``res5`` on pooled regions; its mean for the box branch, the maps themselves for the mask
    branch (where there are options for it).

    Args:
        resnet: the options of the backbone, which ends with res4.
        box_head: says how regions are pooled, for both branches; has no layers of its own.
        channels, strides: of each feature map, by name.
        mask_head: ``None``: boxes alone.

    Raises:
        UsageError: options that do not fit each other or the feature maps.
    """

    def __init__(
        self,
        options: ROIHeadsOptions,
        resnet: ResNetOptions,
        box_head: BoxHeadOptions,
        mask_head: MaskHeadOptions | None,
        *,
        num_classes: int,
        channels: Mapping[str, int],
        strides: Mapping[str, int],
    ) -> None:
        super().__init__(options, num_classes=num_classes, channels=channels)
        if box_head.num_conv or box_head.num_fc:
            raise UsageError(
                f"box_head.num_conv={box_head.num_conv} and box_head.num_fc={box_head.num_fc}: "
                "res5 is the head, set both to 0"
            )
        if options.in_features != ("res4",) or resnet.res5_dilation != 1:
            raise UsageError(
                f"roi_heads.in_features={list(options.in_features)} and "
                f"resnet.res5_dilation={resnet.res5_dilation}: res5 is a head on res4, undilated"
            )
        self.box_coder = BoxCoder(box_head.bbox_reg_weights)
        self.box_pooler = make_pooler(options.in_features, strides, box_head)
        self.res5 = make_stage("res5", resnet)
        self.out_channels = 2 * self.in_channels
        self.box_predictor = make_predictor(self.out_channels, num_classes, box_head)
        self.fast_rcnn_losses = make_losses(box_head, self.box_coder, self.box_predictor)
        if mask_head is not None:
            self.mask_head = MaskHead(self.out_channels, num_classes, mask_head)

    def mask_features(
        self, features: Mapping[str, Tensor], boxes: Tensor, image_index: Tensor
    ) -> Tensor:
        return self.shared_features(features, boxes, image_index)

    def shared_features(
        self, features: Mapping[str, Tensor], boxes: Tensor, image_index: Tensor
    ) -> Tensor:
        """What both branches look at: (R, out_channels, S / 2, S / 2)."""
        shared: Tensor = self.res5(self.box_pooler(features, boxes, image_index))
        return shared

    def detect_boxes(
        self, features: Mapping[str, Tensor], proposals: Proposals, sizes: Tensor
    ) -> Detections:
        """The box branch alone."""
        shared = self.shared_features(features, proposals.boxes, proposals.image_index)
        logits, deltas = self.box_predictor(shared.mean(dim=(2, 3)))
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
        """Of both branches, which look at the regions together."""
        shared = self.shared_features(features, regions.boxes, regions.image_index)
        logits, deltas = self.box_predictor(shared.mean(dim=(2, 3)))
        losses = self.fast_rcnn_losses(logits, deltas, regions, truth)
        if self.mask_head is None:
            return losses
        masks = self.mask_head(shared[regions.labels < self.num_classes])
        return {**losses, **self.mask_losses(masks, regions.objects(), truth)}
