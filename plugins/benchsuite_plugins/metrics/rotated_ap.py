"""COCO's average precision of rotated boxes, as Detectron2's ``RotatedCOCOEvaluator`` has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite._version import __version__
from benchsuite.protocols import Predictions, Scores, Truth
from benchsuite_plugins.metrics.coco_options import CocoOptions
from benchsuite_plugins.metrics.coco_protocol import detection_protocol
from benchsuite_plugins.metrics.coco_summary import per_class, pr_curves, summary
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.precision_recall import accumulate
from benchsuite_plugins.metrics.resampling import resample
from benchsuite_plugins.metrics.rotated_match import match


@dataclass(frozen=True, slots=True)
class RotatedOptions:
    """Options of ``rotated_ap``; what is empty is as COCO's protocol has it.

    Attributes:
        iou_thresholds, max_detections, areas: see ``CocoOptions``. (Aerial images hold far more
            than a hundred objects.)
    """

    iou_thresholds: tuple[float, ...] = ()
    max_detections: tuple[int, ...] = ()
    areas: Mapping[str, tuple[float, float]] | None = None


class RotatedAP:
    """AP of rotated boxes, as a ``benchsuite.protocols.Metric`` and ``ResampledMetric``.

    Only images with a row in ``predictions.images`` are scored. The match table is COCO's (see
    ``match_table``). Overlaps are in float64, where Detectron2 computes them in float32: a pair
    within about 1e-4 of a threshold may fall to the other side.

    Raises:
        UsageError: the options contradict themselves.
    """

    def __init__(self, options: RotatedOptions) -> None:
        chosen = CocoOptions(options.iou_thresholds, options.max_detections, options.areas)
        self._protocol = chosen.applied(detection_protocol("rotated"))

    @property
    def evaluator(self) -> str:
        return f"benchsuite {__version__}"

    def match(self, truth: Truth, predictions: Predictions) -> pa.Table:
        """The match table: see ``rotated_match.match``."""
        category_ids = tuple(sorted({category.id for category in truth.categories}))
        header = MatchHeader(self._protocol, category_ids, self.evaluator)
        return match(truth, predictions, header)

    def accumulate(
        self, matches: pa.Table, image_weights: Mapping[int, float] | None = None
    ) -> Scores:
        """The summary, per-class values and curves: see ``precision_recall.accumulate``."""
        curves = accumulate(matches, image_weights)
        return Scores(summary(curves), per_class(curves), pr_curves(curves))

    def resample(
        self, matches: pa.Table, image_ids: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        """The summary for each row of weights: see ``resampling.resample``."""
        return resample(matches, image_ids, weights)


def create(options: RotatedOptions) -> RotatedAP:
    """The metric."""
    return RotatedAP(options)
