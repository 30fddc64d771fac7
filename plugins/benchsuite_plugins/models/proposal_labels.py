"""What each proposal is to be taken for in training (Girshick, "Fast R-CNN", 2015, section 2.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchsuite_plugins.models.instances import Proposals
from benchsuite_plugins.models.matcher import POSITIVE, Matcher
from benchsuite_plugins.models.sampler import sample_candidates
from benchsuite_plugins.models.target_batch import TargetBatch
from benchsuite_plugins.models.training_options import ROIHeadsTrainingOptions


@dataclass(frozen=True, slots=True)
class LabelledProposals:
    """Proposals that heads learn from, in no order.

    Attributes:
        boxes: (R, 4) float32, xyxy, pixels of the network's input; no gradient.
        image_index: (R,) int64.
        labels: (R,) int64: 0 to K - 1, or K for background.
        matched: (R,) int64: the row of the ``TargetBatch`` that each stands for; of no meaning for
            background.
        num_classes: K.
    """

    boxes: Tensor
    image_index: Tensor
    labels: Tensor
    matched: Tensor
    num_classes: int

    def objects(self) -> LabelledProposals:
        """Those that are not background."""
        rows = (self.labels < self.num_classes).nonzero().squeeze(1)
        return LabelledProposals(
            self.boxes[rows],
            self.image_index[rows],
            self.labels[rows],
            self.matched[rows],
            self.num_classes,
        )


def label_proposals(
    proposals: Proposals, truth: TargetBatch, options: ROIHeadsTrainingOptions, num_classes: int
) -> LabelledProposals:
    """Proposals (and the ground truth's own boxes) labelled, and a random choice of them.

    Raises:
        UsageError: options that do not fit each other.
    """
    boxes, image_index = proposals.boxes.detach(), proposals.image_index
    if options.proposal_append_gt:
        boxes = torch.cat([boxes, truth.boxes])
        image_index, order = torch.cat([image_index, truth.image_index]).sort(stable=True)
        boxes = boxes[order]
    matcher = Matcher(options.iou_thresholds, options.iou_labels, low_quality_matches=False)
    matched, labels = matcher.match_regions(boxes, image_index, truth)
    chosen = sample_candidates(
        labels,
        image_index,
        truth.generators,
        batch_size_per_image=options.batch_size_per_image,
        positive_fraction=options.positive_fraction,
    )
    return LabelledProposals(
        boxes[chosen],
        image_index[chosen],
        class_labels(labels[chosen], matched[chosen], truth, num_classes),
        matched[chosen],
        num_classes,
    )


def class_labels(labels: Tensor, matched: Tensor, truth: TargetBatch, num_classes: int) -> Tensor:
    """The class of each region that is positive, else K: (R,) int64."""
    classes = torch.full_like(labels, num_classes)
    positive = (labels == POSITIVE).nonzero().squeeze(1)
    classes[positive] = truth.labels[matched[positive]]
    return classes
