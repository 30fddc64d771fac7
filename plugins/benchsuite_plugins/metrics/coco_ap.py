"""COCO's average precision for boxes, masks and keypoints, as pycocotools computes it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.protocols import Predictions, Scores, Truth
from benchsuite_plugins.metrics.coco_match import match
from benchsuite_plugins.metrics.coco_protocol import (
    CocoProtocol,
    detection_protocol,
    keypoint_protocol,
)
from benchsuite_plugins.metrics.coco_summary import per_class, pr_curves, summary
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.precision_recall import accumulate
from benchsuite_plugins.metrics.resampling import resample


class CocoAP:
    """COCO's protocol for one task, as a ``benchsuite.protocols.Metric``.

    ``match`` goes through pycocotools and keeps its quirks; its table is described in
    ``match_table``. ``accumulate`` repeats pycocotools' arithmetic to the bit. Only images with a
    row in ``predictions.images`` are scored.

    Args:
        protocol: thresholds, area ranges and summary.
    """

    def __init__(self, protocol: CocoProtocol) -> None:
        self._protocol = protocol

    @property
    def evaluator(self) -> str:
        return f"pycocotools {version('pycocotools')}"

    def match(self, truth: Truth, predictions: Predictions) -> pa.Table:
        """The match table: see ``coco_match.match``."""
        category_ids = tuple(sorted({category.id for category in truth.categories}))
        return match(truth, predictions, MatchHeader(self._protocol, category_ids, self.evaluator))

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


def bbox() -> CocoAP:
    """AP of boxes."""
    return CocoAP(detection_protocol("bbox"))


def segm() -> CocoAP:
    """AP of masks."""
    return CocoAP(detection_protocol("segm"))


def keypoints() -> CocoAP:
    """AP of keypoints, by object keypoint similarity (OKS)."""
    return CocoAP(keypoint_protocol())
