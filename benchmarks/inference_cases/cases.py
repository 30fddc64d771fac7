"""Which models are measured, and beside which."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

from benchsuite import Category
from benchsuite.execution import Execution
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
        detectron2: whether it has the model too; ``PYTHONPATH`` has to lead to it.
        execution: ours; the peers' is torch's own, in float32.
    """

    model: str
    peer: str = ""
    peer_options: dict[str, int] = field(default_factory=dict)
    categories: tuple[Category, ...] = NUMBERED
    overrides: dict[str, Any] = field(default_factory=dict)
    same_weights: bool = False
    detectron2: bool = False
    execution: Execution = field(default_factory=Execution)

    @property
    def available(self) -> bool:
        """Whether there is such a recipe or model here."""
        return self.model in registry().recipes or self.model in registry().models

    @property
    def sides(self) -> tuple[str, ...]:
        theirs = ["peer"] if self.peer else []
        if self.detectron2 and find_spec("detectron2"):
            theirs.append("detectron2")
        return ("ours", *theirs)


COCO = {"num_classes": 81}  # torchvision counts the background
RETINANET = {"num_classes": 80, "detections_per_img": 100}
PERSON = {"num_classes": 2, "num_keypoints": 17}

PLAIN = {
    "faster_rcnn_R_50_FPN": Case(
        "faster_rcnn_R_50_FPN_3x", "fasterrcnn_resnet50_fpn", COCO, detectron2=True
    ),
    "mask_rcnn_R_50_FPN": Case(
        "mask_rcnn_R_50_FPN_3x", "maskrcnn_resnet50_fpn", COCO, detectron2=True
    ),
    "keypoint_rcnn_R_50_FPN": Case(
        "keypoint_rcnn_R_50_FPN_3x", "keypointrcnn_resnet50_fpn", PERSON, detectron2=True
    ),
    "retinanet_R_50_FPN": Case(
        "retinanet_R_50_FPN_3x", "retinanet_resnet50_fpn", RETINANET, detectron2=True
    ),
    "panoptic_fpn_R_50": Case("panoptic_fpn_R_50_3x", detectron2=True),
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

EXECUTIONS = {
    "compiled": Execution(compile=True),
    "bf16": Execution("bf16"),
    "bf16_compiled": Execution("bf16", compile=True),
}
"""What is measured beside the default, of the models that Detectron2 has."""

CASES = {
    **PLAIN,
    **{
        f"{name}/{label}": replace(case, execution=execution)
        for name, case in PLAIN.items()
        if case.detectron2
        for label, execution in EXECUTIONS.items()
    },
}
