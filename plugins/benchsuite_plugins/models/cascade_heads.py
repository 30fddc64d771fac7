"""Cascade R-CNN's box branch (Cai and Vasconcelos, "Cascade R-CNN", 2018): stages that each look
at the boxes of the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchsuite.errors import UsageError
from benchsuite_plugins.models.box_coder import BoxCoder
from benchsuite_plugins.models.box_head import BoxHead, select_detections
from benchsuite_plugins.models.boxes import clip_boxes, larger_than
from benchsuite_plugins.models.federated_predictor import make_losses, make_predictor
from benchsuite_plugins.models.instances import Detections, Proposals
from benchsuite_plugins.models.layers.scale_gradient import scale_gradient
from benchsuite_plugins.models.matcher import Matcher
from benchsuite_plugins.models.options import BoxHeadOptions, MaskHeadOptions, ROIHeadsOptions
from benchsuite_plugins.models.presence import ABSENT, drop_absent_unless_waiting
from benchsuite_plugins.models.proposal_labels import (
    LabelledProposals,
    class_labels,
)
from benchsuite_plugins.models.region_heads import RegionHeads
from benchsuite_plugins.models.roi_pooler import make_pooler
from benchsuite_plugins.models.target_batch import TargetBatch

Weights = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class CascadeOptions:
    """What the stages differ in.

    Attributes:
        ious: a region that overlaps an object at least so much stands for it, one a stage.
        bbox_reg_weights: of dx, dy, dw, dh (see ``box_coder``), one a stage.
    """

    ious: tuple[float, ...] = (0.5, 0.6, 0.7)
    bbox_reg_weights: tuple[Weights, ...] = (
        (10.0, 10.0, 5.0, 5.0),
        (20.0, 20.0, 10.0, 10.0),
        (30.0, 30.0, 15.0, 15.0),
    )


class CascadeROIHeads(RegionHeads):
    """Box stages ``box_head.0``, ``box_head.1``, ..., then (where there are options for it) the
    mask branch on what they detect together.

    The classes of a region are the mean of what all stages say; its box is the last one's.

    Args:
        box_head: of every stage; its ``bbox_reg_weights`` are those of ``cascade`` instead.
        channels, strides: of each feature map, by name.
        mask_head: ``None``: boxes alone.

    Raises:
        UsageError: options that do not fit each other or the feature maps.
    """

    def __init__(
        self,
        options: ROIHeadsOptions,
        box_head: BoxHeadOptions,
        cascade: CascadeOptions,
        mask_head: MaskHeadOptions | None,
        *,
        num_classes: int,
        channels: Mapping[str, int],
        strides: Mapping[str, int],
    ) -> None:
        super().__init__(options, num_classes=num_classes, channels=channels)
        _check(options, box_head, cascade)
        self.box_pooler = make_pooler(options.in_features, strides, box_head)
        stages = range(len(cascade.ious))
        self.box_head = nn.ModuleList(BoxHead(self.in_channels, box_head) for _ in stages)
        self.box_predictor = nn.ModuleList(
            make_predictor(head.out_channels, num_classes, box_head) for head in self.box_head
        )
        self.box_coders = [BoxCoder(weights) for weights in cascade.bbox_reg_weights]
        self.matchers = [Matcher((iou,), (0, 1), low_quality_matches=False) for iou in cascade.ious]
        self.stage_losses = [
            make_losses(box_head, coder, predictor)
            for coder, predictor in zip(self.box_coders, self.box_predictor, strict=True)
        ]
        if mask_head is not None:
            self.draw_masks(mask_head, strides)

    def detect_boxes(
        self, features: Mapping[str, Tensor], proposals: Proposals, sizes: Tensor
    ) -> Detections:
        """The box branch alone."""
        regions = proposals
        scores: list[Tensor] = []
        for stage in range(len(self.box_coders)):
            pooled = self.box_pooler(features, regions.boxes, regions.image_index)
            logits, deltas = self.predict(stage, pooled)
            scores.append(self.box_predictor[stage].probabilities(logits))
            if stage + 1 < len(self.box_coders):
                regions = self._moved(regions, deltas, sizes, stage)
        found = select_detections(
            torch.stack(scores).mean(dim=0),
            deltas,
            regions,
            sizes,
            self.options,
            weights=self.box_coders[-1].weights,
            softmax=False,
        )
        return drop_absent_unless_waiting(found)

    def _moved(self, regions: Proposals, deltas: Tensor, sizes: Tensor, stage: int) -> Proposals:
        """The boxes that a stage made of its regions, clipped; absent where they are not finite,
        since those cannot be pooled."""
        boxes = self.box_coders[stage].decode(deltas, regions.boxes)
        finite = boxes.isfinite().all(dim=1)
        clipped = clip_boxes(boxes.where(finite[:, None], 0), sizes[regions.image_index])
        logits = regions.logits.where(finite, ABSENT)
        return Proposals(clipped, logits, regions.image_index)

    def predict(self, stage: int, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled regions (R, C, S, S) to a stage's logits (R, K + 1) and deltas (R, 4)."""
        outputs: tuple[Tensor, Tensor] = self.box_predictor[stage](self.box_head[stage](pooled))
        return outputs

    def region_losses(
        self,
        features: Mapping[str, Tensor],
        regions: LabelledProposals,
        sizes: Tensor,
        truth: TargetBatch,
    ) -> dict[str, Tensor]:
        """Of the stages, and of the mask branch on the proposals."""
        return {
            **self.box_losses(features, regions, sizes, truth),
            **self.object_losses(features, regions.objects(), truth),
        }

    def box_losses(
        self,
        features: Mapping[str, Tensor],
        regions: LabelledProposals,
        sizes: Tensor,
        truth: TargetBatch,
    ) -> dict[str, Tensor]:
        """Of the box branch alone: ``loss_cls_stage0``, ``loss_box_reg_stage0``, ...

        Each stage's heads learn as if it was alone, but the features as if all were averaged.
        """
        losses = {}
        for stage, coder in enumerate(self.box_coders):
            pooled = self.box_pooler(features, regions.boxes, regions.image_index)
            logits, deltas = self.predict(stage, scale_gradient(pooled, 1 / len(self.box_coders)))
            terms = self.stage_losses[stage](logits, deltas, regions, truth)
            losses |= {f"{name}_stage{stage}": value for name, value in terms.items()}
            if stage + 1 < len(self.matchers):
                boxes = coder.decode(deltas.detach(), regions.boxes)
                regions = self._relabel(boxes, regions.image_index, sizes, truth, stage + 1)
        return losses

    def _relabel(
        self,
        boxes: Tensor,
        image_index: Tensor,
        sizes: Tensor,
        truth: TargetBatch,
        stage: int,
    ) -> LabelledProposals:
        """A stage's boxes, clipped and without the empty ones, as the next one takes them."""
        boxes = clip_boxes(boxes, sizes[image_index])
        rows = larger_than(boxes, 0).nonzero().squeeze(1)
        boxes, image_index = boxes[rows], image_index[rows]
        matched, labels = self.matchers[stage].match_regions(boxes, image_index, truth)
        classes = class_labels(labels, matched, truth, self.num_classes)
        return LabelledProposals(boxes, image_index, classes, matched, self.num_classes)


def _check(options: ROIHeadsOptions, box_head: BoxHeadOptions, cascade: CascadeOptions) -> None:
    stages = len(cascade.ious)
    if not stages or len(cascade.bbox_reg_weights) != stages:
        raise UsageError(
            f"cascade.ious has {stages} values, cascade.bbox_reg_weights "
            f"{len(cascade.bbox_reg_weights)}: give one each for every stage"
        )
    if not box_head.cls_agnostic_bbox_reg:
        raise UsageError(
            "a cascade passes one box of each region on: set box_head.cls_agnostic_bbox_reg=true"
        )
    if options.training.iou_thresholds != (first := cascade.ious[:1]):
        raise UsageError(
            f"roi_heads.training.iou_thresholds is {options.training.iou_thresholds}, "
            f"the cascade's first stage has {first}: they are the same thing"
        )
