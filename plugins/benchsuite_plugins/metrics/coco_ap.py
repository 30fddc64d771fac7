"""COCO's average precision for boxes, masks and keypoints, equal to pycocotools' to the bit.

Lin et al., Microsoft COCO: Common Objects in Context, 2014.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite._version import __version__
from benchsuite.errors import UsageError
from benchsuite.protocols import Predictions, Scores, Truth
from benchsuite_plugins.metrics.coco_match import match
from benchsuite_plugins.metrics.coco_options import CocoOptions
from benchsuite_plugins.metrics.coco_protocol import (
    EVERY_CATEGORY,
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

    The match table is described in ``match_table``. Only images with a row in
    ``predictions.images`` are scored.

    Args:
        protocol: thresholds, area ranges and summary.
        options: what is chosen otherwise.

    Raises:
        UsageError: the options contradict themselves.
    """

    def __init__(self, protocol: CocoProtocol, options: CocoOptions | None = None) -> None:
        self._options = options or CocoOptions()
        self._protocol = self._options.applied(protocol)

    @property
    def evaluator(self) -> str:
        return f"benchsuite {__version__}"

    def match(self, truth: Truth, predictions: Predictions) -> pa.Table:
        """The match table: see ``coco_match.match``."""
        options = self._options
        known = {category.id for category in truth.categories}
        if unknown := set(options.category_ids) - known:
            raise UsageError(f"metric.category_ids: the dataset has no category {min(unknown)}")
        if options.category_ids and not options.use_categories:
            raise UsageError("metric.category_ids and metric.use_categories=false exclude another")
        ids = sorted(options.category_ids or known) if options.use_categories else [EVERY_CATEGORY]
        header = MatchHeader(self._protocol, tuple(ids), self.evaluator)
        return self._matched(truth, predictions, header)

    def _matched(self, truth: Truth, predictions: Predictions, header: MatchHeader) -> pa.Table:
        return match(
            truth,
            predictions,
            header,
            categories_apart=self._options.use_categories,
            keypoints=self._options.layout(truth.keypoints),
        )

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


def bbox(options: CocoOptions | None = None) -> CocoAP:
    """AP of boxes."""
    return CocoAP(detection_protocol("bbox"), options)


def segm(options: CocoOptions | None = None) -> CocoAP:
    """AP of masks."""
    return CocoAP(detection_protocol("segm"), options)


def keypoints(options: CocoOptions | None = None) -> CocoAP:
    """AP of keypoints, by object keypoint similarity (OKS)."""
    return CocoAP(keypoint_protocol(), options)
