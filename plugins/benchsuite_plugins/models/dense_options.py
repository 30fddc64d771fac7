"""What detectors without proposals are built from; see ``options`` for what they share with others.

The defaults are those of the published configurations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from benchsuite_plugins.models.dense_training_options import (
    FCOSTrainingOptions,
    RetinaNetTrainingOptions,
)

SubnetNorm = Literal["", "GN"]
"""Normalisation in a head's subnets. Statistics over a batch are not offered: the levels share the
convolutions, but not the distribution of what comes out of them."""


@dataclass(frozen=True, slots=True)
class DenseOptions:
    """What is kept of a prediction at every cell.

    Attributes:
        in_features: levels that the head runs on, finest first.
        num_convs: 3x3 convolutions of each of the head's two subnets.
        norm: after each of them.
        score_thresh_test: a detection's score must be greater.
        topk_candidates_test: detections a level that enter the suppression.
        nms_thresh_test: of two detections of a class that overlap more, the better one stays.
        prior_prob: score of every class at every anchor before training.
    """

    in_features: tuple[str, ...] = ("p3", "p4", "p5", "p6", "p7")
    num_convs: int = 4
    norm: SubnetNorm = ""
    score_thresh_test: float = 0.05
    topk_candidates_test: int = 1000
    nms_thresh_test: float = 0.5
    detections_per_image: int = 100
    prior_prob: float = 0.01


@dataclass(frozen=True, slots=True)
class RetinaNetHeadOptions(DenseOptions):
    """RetinaNet's head.

    Attributes:
        top_block_in_feature: what the two levels above the pyramid's own are made from.
        bbox_reg_weights: of dx, dy, dw, dh (see ``box_coder``).
    """

    top_block_in_feature: str = "res5"
    bbox_reg_weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    training: RetinaNetTrainingOptions = field(default_factory=RetinaNetTrainingOptions)


@dataclass(frozen=True, slots=True)
class FCOSHeadOptions(DenseOptions):
    """FCOS's head.

    Attributes:
        conv_dim: channels of the subnets' convolutions.
    """

    norm: SubnetNorm = "GN"
    conv_dim: int = 256
    score_thresh_test: float = 0.2
    nms_thresh_test: float = 0.6
    training: FCOSTrainingOptions = field(default_factory=FCOSTrainingOptions)
