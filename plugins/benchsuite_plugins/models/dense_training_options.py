"""What the losses of dense detectors depend on, and inference does not; the defaults are those of
the published configurations."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchsuite_plugins.models.training_options import (
    BoxLossOptions,
    ClassLossOptions,
    MatchLabel,
)


def focal() -> ClassLossOptions:
    """Focal loss with the settings of its paper."""
    return ClassLossOptions("sigmoid_focal", {"alpha": 0.25, "gamma": 2.0})


@dataclass(frozen=True, slots=True)
class DenseTrainingOptions:
    """What both losses of a dense detector depend on.

    Attributes:
        class_loss: a loss of logits and what is 0 or 1.
        normalizer_start, normalizer_momentum: see ``loss_normalizer``.
    """

    class_loss: ClassLossOptions = field(default_factory=focal)
    bbox_reg_loss: BoxLossOptions = field(default_factory=BoxLossOptions)
    normalizer_start: float = 100.0
    normalizer_momentum: float = 0.9


@dataclass(frozen=True, slots=True)
class RetinaNetTrainingOptions(DenseTrainingOptions):
    """How RetinaNet learns.

    Attributes:
        iou_thresholds, iou_labels, low_quality_matches: see ``matcher``.
    """

    iou_thresholds: tuple[float, ...] = (0.4, 0.5)
    iou_labels: tuple[MatchLabel, ...] = (0, -1, 1)
    low_quality_matches: bool = True


@dataclass(frozen=True, slots=True)
class FCOSTrainingOptions(DenseTrainingOptions):
    """How FCOS learns.

    Attributes:
        center_sampling_radius: how near a box's centre, in strides along each axis, its points are.
    """

    bbox_reg_loss: BoxLossOptions = field(default_factory=lambda: BoxLossOptions("giou"))
    normalizer_start: float = 300.0
    center_sampling_radius: float = 1.5
