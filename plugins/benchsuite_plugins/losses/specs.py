"""What loss functions a recipe can name."""

from __future__ import annotations

from benchsuite.specs import LossSpec


def _loss(name: str, factory: str, compares: str, summary: str) -> LossSpec:
    return LossSpec(
        name=name,
        factory=f"benchsuite_plugins.losses.{factory}",
        compares=compares,
        summary=summary,
        licence="Apache-2.0",
    )


LOSSES: list[LossSpec] = [
    _loss("smooth_l1", "smooth_l1_loss:create", "values", "L1, a parabola below beta"),
    _loss("l1", "l1_loss:create", "values", "the absolute difference"),
    _loss("giou", "iou_losses:create_giou", "boxes", "generalized IoU"),
    _loss("diou", "iou_losses:create_diou", "boxes", "IoU and the distance of the centres"),
    _loss("ciou", "iou_losses:create_ciou", "boxes", "DIoU and the aspect ratio"),
    _loss("cross_entropy", "cross_entropy:create", "labels", "classes that exclude each other"),
    _loss(
        "federated",
        "federated_loss:create",
        "labels",
        "few of many independent classes: those that are there, and some at random",
    ),
    _loss(
        "sigmoid_focal",
        "sigmoid_focal_loss:create",
        "binary",
        "focal loss of classes that are independent of each other",
    ),
]
