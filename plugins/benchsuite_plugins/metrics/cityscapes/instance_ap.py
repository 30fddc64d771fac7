"""Average precision of Cityscapes' instances, from their match table alone.

Precision and recall are taken at every distinct score; precision is neither made monotone nor read
off at fixed recalls. The area below them is a sum of steps, each as wide as half the recall between
its neighbours. The sums are NumPy's own, so that the outcome is cityscapesscripts' to the bit.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_rows, to_numpy
from benchsuite.protocols import Scores
from benchsuite.schemas import PER_CLASS, PR_CURVES
from benchsuite_plugins.datasets.cityscapes.labels import WITH_INSTANCES
from benchsuite_plugins.metrics.cityscapes.instance_table import InstanceHeader
from benchsuite_plugins.metrics.image_weights import row_weights

_Floats = NDArray[np.float64]

LABEL_IDS = tuple(label.id for label in WITH_INSTANCES)

CURVE_OVERLAPS = (0.5, 0.75)
"""Overlap thresholds, to two decimals, whose curves are kept."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Precision against recall, by ascending score; the last point is an artificial start.

    Attributes:
        precision, recall: (P + 1,).
        scores: (P,), distinct.
    """

    precision: _Floats
    recall: _Floats
    scores: _Floats

    @property
    def average_precision(self) -> float:
        recall = np.concatenate([self.recall[:1], self.recall, [0.0]])
        widths = np.convolve(recall, [-0.5, 0, 0.5], "valid")
        return float(np.dot(self.precision, widths))


class InstanceRows:
    """A match table's rows by label and score, ready to be counted under any weights.

    Args:
        matches: rows in any order; tables of different images may be concatenated.

    Attributes:
        header: what the table was made by.
        images: (N,) int64, each row's image.

    Raises:
        ContractError: the table is no match table of Cityscapes' instances.
    """

    def __init__(self, matches: pa.Table) -> None:
        self.header = InstanceHeader.of(matches)
        names = ("image_id", "category_id", "is_truth", "score", "matched", "ignored")
        self.images, labels, is_truth, scores, matched, ignored = (
            to_numpy(matches[name]) for name in names
        )
        bits = np.arange(len(self.header.overlaps), dtype=np.uint16)[:, None]
        self._scores = scores
        self._matched = (matched >> bits & 1).astype(np.bool_)
        self._ignored = (ignored >> bits & 1).astype(np.bool_)
        self._truths = [np.flatnonzero(is_truth & (labels == label)) for label in LABEL_IDS]
        self._detections = []
        for label in LABEL_IDS:
            rows = np.flatnonzero(~is_truth & (labels == label))
            self._detections.append(rows[np.argsort(scores[rows], kind="stable")])

    def average_precisions(self, weights: _Floats) -> _Floats:
        """(L, T) by label and overlap threshold; NaN where there is no object to be found.

        Args:
            weights: (N,), how often each row counts.
        """
        values = np.full((len(LABEL_IDS), len(self.header.overlaps)), np.nan)
        for place in range(len(LABEL_IDS)):
            for bit in range(len(self.header.overlaps)):
                if (curve := self.curve(place, bit, weights)) is not None:
                    values[place, bit] = curve.average_precision
        return values

    def curve(self, place: int, bit: int, weights: _Floats) -> Curve | None:
        """The curve of the label of that place at one threshold; ``None``: nothing to be found."""
        truths = self._truths[place]
        truths = truths[(weights[truths] > 0) & ~self._ignored[bit, truths]]
        if not len(truths):
            return None
        missed = float(np.sum(weights[truths[~self._matched[bit, truths]]]))
        rows = self._detections[place]
        rows = rows[(weights[rows] > 0) & ~self._ignored[bit, rows]]
        scores, own = self._scores[rows], weights[rows]
        first = np.flatnonzero(np.concatenate([[True], scores[1:] != scores[:-1]])[: len(rows)])
        # Summed from the best score down: what counts at a score is all that reaches it.
        counted = np.cumsum(own[::-1])[::-1][first]
        true = np.cumsum((own * self._matched[bit, rows])[::-1])[::-1]
        total = true[0] if len(rows) else 0.0
        true = true[first]
        precision = np.append(true / counted, 1.0)
        recall = np.append(true / (true + ((total - true) + missed)), 0.0)
        return Curve(precision, recall, scores[first])


def accumulate(matches: pa.Table, image_weights: Mapping[int, float] | None = None) -> Scores:
    """AP and AP50 over all labels and of each, and curves.

    Args:
        matches: rows in any order; tables of different images may be concatenated.
        image_weights: image id to how often the image counts; an image not named counts 0.
            ``None``: each counts once.

    Raises:
        ContractError: the table is no match table, or a weight is negative or not finite.
    """
    rows = InstanceRows(matches)
    weights = row_weights(rows.images, image_weights)
    values = rows.average_precisions(weights)
    return Scores(summary(values), _per_class(values), _curves(rows, weights))


def summary(values: _Floats) -> dict[str, float]:
    """AP and AP50 of (L, T) values; -1 where there is no object to be found at all."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        found = {"AP": np.nanmean(values), "AP50": np.nanmean(values[:, 0])}
    return {name: -1.0 if np.isnan(value) else float(value) for name, value in found.items()}


def _per_class(values: _Floats) -> pa.Table:
    """``schemas.PER_CLASS``; null where there is no object to be found."""
    rows = []
    for label, of_label in zip(LABEL_IDS, values):
        none = bool(np.isnan(of_label).any())
        for name, value in (("AP", np.average(of_label)), ("AP50", of_label[0])):
            rows.append(
                {"category_id": label, "metric": name, "value": None if none else float(value)}
            )
    return from_rows(rows, PER_CLASS)


def _curves(rows: InstanceRows, weights: _Floats) -> pa.Table:
    """``schemas.PR_CURVES`` at ``CURVE_OVERLAPS``, by ascending recall, a point a score.

    The number of detections is not limited, which is written as 0. Where nothing was predicted
    there is one point, of no precision.
    """
    found = []
    for place, label in enumerate(LABEL_IDS):
        for bit, overlap in enumerate(rows.header.overlaps):
            if round(overlap, 2) not in CURVE_OVERLAPS:
                continue
            if (curve := rows.curve(place, bit, weights)) is None:
                continue
            found.append(
                {
                    "category_id": label,
                    "iou": round(overlap, 2),
                    "area": "all",
                    "max_detections": 0,
                    "recall": curve.recall[-2::-1].tolist() or [0.0],
                    "precision": curve.precision[-2::-1].tolist() or [0.0],
                    "score": curve.scores[::-1].tolist() or [0.0],
                }
            )
    return from_rows(found, PR_CURVES)
