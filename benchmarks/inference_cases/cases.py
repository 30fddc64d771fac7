"""Which models are measured, and beside which."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from benchsuite import Category
from benchsuite.plugins import registry

NUMBERED = tuple(Category(label, str(label)) for label in range(80))


@dataclass(frozen=True)
class Case:
    """A model of ours and its peer.

    Attributes:
        model: a recipe, or a model that is to take torchvision's weights.
        peer: a function of ``torchvision.models.detection``; empty: torchvision has none.
        peer_options: what that is given beside ``weights=None``.
        categories, overrides: of a model that no recipe describes.
        same_weights: whether ours reads the peer's checkpoint, and must find the same.
    """

    model: str
    peer: str = ""
    peer_options: dict[str, int] = field(default_factory=dict)
    categories: tuple[Category, ...] = NUMBERED
    overrides: dict[str, Any] = field(default_factory=dict)
    same_weights: bool = False

    @property
    def available(self) -> bool:
        """Whether there is such a recipe or model here."""
        return self.model in registry().recipes or self.model in registry().models

    @property
    def sides(self) -> tuple[str, ...]:
        return ("ours", "peer") if self.peer else ("ours",)


COCO = {"num_classes": 81}  # torchvision counts the background
RETINANET = {"num_classes": 80, "detections_per_img": 100}
PERSON = {"num_classes": 2, "num_keypoints": 17}

CASES = {
    "faster_rcnn_R_50_FPN": Case("faster_rcnn_R_50_FPN_3x", "fasterrcnn_resnet50_fpn", COCO),
    "mask_rcnn_R_50_FPN": Case("mask_rcnn_R_50_FPN_3x", "maskrcnn_resnet50_fpn", COCO),
    "keypoint_rcnn_R_50_FPN": Case(
        "keypoint_rcnn_R_50_FPN_3x", "keypointrcnn_resnet50_fpn", PERSON
    ),
    "retinanet_R_50_FPN": Case("retinanet_R_50_FPN_3x", "retinanet_resnet50_fpn", RETINANET),
    "panoptic_fpn_R_50": Case("panoptic_fpn_R_50_3x"),
    "cascade_mask_rcnn_R_50_FPN": Case("cascade_mask_rcnn_R_50_FPN_3x"),
    "mask_rcnn_vitdet_b": Case("mask_rcnn_vitdet_b_100ep"),
    "faster_rcnn_R_50_FPN_same_convention": Case(
        "torchvision_faster_rcnn", "fasterrcnn_resnet50_fpn", COCO, same_weights=True
    ),
    "mask_rcnn_R_50_FPN_same_convention": Case(
        "torchvision_mask_rcnn", "maskrcnn_resnet50_fpn", COCO, same_weights=True
    ),
    "keypoint_rcnn_R_50_FPN_same_convention": Case(
        "torchvision_keypoint_rcnn",
        "keypointrcnn_resnet50_fpn",
        PERSON,
        categories=NUMBERED[:1],
        overrides={"keypoint_head": {"num_keypoints": 17}},
        same_weights=True,
    ),
    "retinanet_R_50_FPN_same_convention": Case(
        "torchvision_retinanet",
        "retinanet_resnet50_fpn",
        RETINANET,
        overrides={"retinanet": {"detections_per_image": 100}},
        same_weights=True,
    ),
}
