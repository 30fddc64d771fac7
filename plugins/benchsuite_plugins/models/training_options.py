"""What the losses of two-stage detectors depend on, and inference does not; the defaults are those
of the published configurations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

MatchLabel = Literal[-1, 0, 1]
"""Object, background, or neither (see ``matcher``)."""


@dataclass(frozen=True, slots=True)
class BoxLossOptions:
    """The loss of box regression.

    Attributes:
        name: a registered loss, of values (then it compares deltas) or of boxes (then it compares
            decoded boxes).
        options: for its factory.
        weight: what the term is multiplied by.
    """

    name: str = "smooth_l1"
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ClassLossOptions:
    """The loss of classification.

    Attributes:
        name: a registered loss, of logits and labels.
        options: for its factory.
        weight: what the term is multiplied by.
    """

    name: str = "cross_entropy"
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class RPNTrainingOptions:
    """How the region proposal network learns, and what it proposes meanwhile.

    Attributes:
        pre_nms_topk: proposals a level that enter the suppression.
        post_nms_topk: proposals an image that leave it.
        iou_thresholds, iou_labels, low_quality_matches: see ``matcher``.
        batch_size_per_image: anchors an image that count; what both losses are divided by.
        positive_fraction: at most this share of them are positive.
        loss_weight: of both terms.
    """

    pre_nms_topk: int = 2000
    post_nms_topk: int = 1000
    iou_thresholds: tuple[float, ...] = (0.3, 0.7)
    iou_labels: tuple[MatchLabel, ...] = (0, -1, 1)
    low_quality_matches: bool = True
    batch_size_per_image: int = 256
    positive_fraction: float = 0.5
    loss_weight: float = 1.0
    bbox_reg_loss: BoxLossOptions = field(default_factory=BoxLossOptions)


@dataclass(frozen=True, slots=True)
class ROIHeadsTrainingOptions:
    """Which proposals the heads learn from.

    Attributes:
        iou_thresholds, iou_labels: see ``matcher``.
        batch_size_per_image: proposals an image that count.
        positive_fraction: at most this share of them are objects.
        proposal_append_gt: whether the ground truth's boxes are proposals too.
    """

    iou_thresholds: tuple[float, ...] = (0.5,)
    iou_labels: tuple[MatchLabel, ...] = (0, 1)
    batch_size_per_image: int = 512
    positive_fraction: float = 0.25
    proposal_append_gt: bool = True


@dataclass(frozen=True, slots=True)
class KeypointHeadTrainingOptions:
    """How the keypoint head learns.

    Attributes:
        normalize_by_visible: whether the sum is divided by how many keypoints count in the batch,
            or by how many there could be in all regions that may be drawn.
        loss_weight: what the term is multiplied by.
    """

    normalize_by_visible: bool = True
    loss_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class SemanticHeadTrainingOptions:
    """How the semantic head learns.

    Attributes:
        loss_weight: what the term is multiplied by.
    """

    loss_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class BoxHeadTrainingOptions:
    """How the box head learns."""

    class_loss: ClassLossOptions = field(default_factory=ClassLossOptions)
    bbox_reg_loss: BoxLossOptions = field(default_factory=BoxLossOptions)
