"""``voc_ap``: AP, AP50 and AP75 of boxes, as the Pascal VOC challenges define them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite._version import __version__
from benchsuite.columns.arrow_arrays import from_rows
from benchsuite.errors import UsageError
from benchsuite.protocols import Predictions, Scores, Truth
from benchsuite.schemas import PER_CLASS, PR_CURVES
from benchsuite_plugins.metrics.image_weights import weight_arrays
from benchsuite_plugins.metrics.voc.average_precision import ELEVEN_RECALLS, Curve, VocCurves, mean
from benchsuite_plugins.metrics.voc.match import interpolation_of, match
from benchsuite_plugins.metrics.voc.options import VocOptions
from benchsuite_plugins.metrics.voc.table import MOST_THRESHOLDS, VocHeader

CURVE_IOUS = (0.5, 0.75)
"""IoU thresholds whose curves are kept."""

NO_LIMIT = 2**31 - 1
"""Detections of an image that count."""

SINGLE_VALUES = {"AP50": 0.5, "AP75": 0.75}


class VocAP:
    """Pascal VOC's protocol, as a ``benchsuite.protocols.Metric`` and ``ResampledMetric``.

    Only images with a row in ``predictions.images`` are scored. ``AP`` is the mean over IoU
    thresholds of the mean over the categories that have truth to find (Detectron2 counts those
    without as 0). Crowd regions count as difficult.

    Raises:
        UsageError: an IoU threshold that is not above 0 and up to 1, or none or too many.
    """

    def __init__(self, options: VocOptions) -> None:
        thresholds = options.iou_thresholds
        if not 1 <= len(thresholds) <= MOST_THRESHOLDS or not all(0 < t <= 1 for t in thresholds):
            raise UsageError(
                f"metric.iou_thresholds={list(thresholds)}: 1 to {MOST_THRESHOLDS} numbers above 0 "
                "and up to 1 are needed"
            )
        self._options = options

    @property
    def evaluator(self) -> str:
        return f"benchsuite {__version__}"

    def match(self, truth: Truth, predictions: Predictions) -> pa.Table:
        """The match table: see ``table``."""
        given = self._options.interpolation
        header = VocHeader(
            self._options.iou_thresholds,
            interpolation_of(truth) if given == "auto" else given,
            tuple(sorted({category.id for category in truth.categories})),
            self.evaluator,
        )
        return match(truth, predictions, header, self._options.convention)

    def accumulate(
        self, matches: pa.Table, image_weights: Mapping[int, float] | None = None
    ) -> Scores:
        """AP, per-class values and curves of a match table."""
        prepared = VocCurves(matches)
        if image_weights is None:
            curves = prepared.unweighted()
        else:
            weights = weight_arrays(image_weights)
            curves = prepared.weighted(weights.images, weights.weights)
        header = prepared.header
        precisions = _average_precisions(curves, header)
        return Scores(
            _summary(precisions, header),
            _per_class(precisions, header),
            _pr_curves(curves, header),
        )

    def resample(
        self, matches: pa.Table, image_ids: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> Mapping[str, NDArray[np.float64]]:
        """Values for each row of weights: see ``ResampledMetric``."""
        prepared = VocCurves(matches)
        order = np.argsort(image_ids)
        ids = image_ids[order]
        summaries = [
            _summary(
                _average_precisions(prepared.weighted(ids, row[order]), prepared.header),
                prepared.header,
            )
            for row in weights
        ]
        names = _summary([], prepared.header)
        return {name: np.array([each[name] for each in summaries]) for name in names}


_Precisions = Sequence[Sequence[float | None]]


def _average_precisions(
    curves: Sequence[Sequence[Curve | None]], header: VocHeader
) -> list[list[float | None]]:
    """AP for each category and threshold; ``None`` where there is no truth to find."""
    return [
        [None if curve is None else curve.average_precision(header.interpolation) for curve in row]
        for row in curves
    ]


def _summary(precisions: _Precisions, header: VocHeader) -> dict[str, float]:
    by_threshold = [
        mean([of_category[place] for of_category in precisions])
        for place in range(len(header.iou_thresholds))
    ]
    values = {"AP": float(np.mean(by_threshold))}
    for name, iou in SINGLE_VALUES.items():
        if iou in header.iou_thresholds:
            values[name] = by_threshold[header.iou_thresholds.index(iou)]
    return values


def _per_class(precisions: _Precisions, header: VocHeader) -> pa.Table:
    rows = []
    for category_id, of_category in zip(header.category_ids, precisions):
        values = _summary([of_category], header)
        rows += [
            {"category_id": category_id, "metric": name, "value": None if value == -1 else value}
            for name, value in values.items()
        ]
    return from_rows(rows, PER_CLASS)


def _pr_curves(curves: Sequence[Sequence[Curve | None]], header: VocHeader) -> pa.Table:
    """The best precision at fixed recalls or higher ones: 11, or 101 where every point counts."""
    recalls = ELEVEN_RECALLS if header.interpolation == "11-point" else np.linspace(0, 1, 101)
    rows = []
    for category_id, of_category in zip(header.category_ids, curves):
        for iou, curve in zip(header.iou_thresholds, of_category):
            if iou in CURVE_IOUS and curve is not None:
                precision, score = curve.read_off(recalls)
                rows.append(
                    {
                        "category_id": category_id,
                        "iou": iou,
                        "area": "all",
                        "max_detections": NO_LIMIT,
                        "recall": recalls.tolist(),
                        "precision": precision.tolist(),
                        "score": score.tolist(),
                    }
                )
    return from_rows(rows, PR_CURVES)


def create(options: VocOptions) -> VocAP:
    """The metric."""
    return VocAP(options)
