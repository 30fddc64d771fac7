"""TIDE: how much average precision each type of error costs.

The errors of one type are put right, all else staying as it is, and the average precision at one
IoU threshold is taken again. ``detection_errors`` says what the types are. To put right

* ``Cls`` and ``Loc``, the detection of the highest score finds its truth, in the truth's category,
  and all others go;
* ``Both``, ``Dupe`` and ``Bkg``, the detections go;
* ``Miss``, the truths need not be found.

Beside them: ``FalsePos``, all false positives scored below all else; ``FalseNeg``, no truth that is
not found needed to be.

Bolya et al., TIDE: A General Toolbox for Identifying Object Detection Errors, 2020. The numbers are
those of its package ``tidecv`` but where that differs from COCO's protocol: it counts the best 100
detections of an image (here: those of the match table), takes equal scores and equal overlaps in
another order, reads precision off at recalls i / 100 (here: the protocol's, which are not that to
the bit) and gives a category without truths an average precision of 0 (here: leaves it out).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite_kernels.columns.match_order import MatchRows, match_order
from benchsuite_kernels.columns.precision_recall import CurveAxes, precision_recall
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.metrics.detection_errors import (
    ERRORS,
    DetectionErrors,
    detection_errors,
)
from benchsuite_plugins.metrics.error_tables import error_rows, per_class_errors
from benchsuite_plugins.metrics.image_weights import row_weights, weight_arrays

SPECIAL = ("FalsePos", "FalseNeg")

WHAT = {
    "Cls": "well placed, of the wrong category",
    "Loc": "of the right category, badly placed",
    "Both": "of the wrong category and badly placed",
    "Dupe": "found a second time",
    "Bkg": "found where nothing is",
    "Miss": "not found, by no error above",
    "FalsePos": "all false positives together",
    "FalseNeg": "all that is not found together",
}
"""Error type to what it is, in a few words."""


@dataclass(frozen=True, slots=True)
class ErrorTypes:
    """What each type of error costs.

    Attributes:
        iou, background: thresholds of the types.
        ap: average precision as it is, 0 to 1; -1 where there is no truth.
        counts: type to the number of errors (to the sum of their images' weights).
        delta_ap: type, and each of ``SPECIAL``, to what average precision would gain, 0 to 1.
        per_class: ``error_tables.PER_CLASS_ERRORS``.
        errors: ``error_tables.ERROR_ROWS``.
    """

    iou: float
    background: float
    ap: float
    counts: Mapping[str, float]
    delta_ap: Mapping[str, float]
    per_class: pa.Table
    errors: pa.Table


def error_types(
    matches: pa.Table,
    overlaps: pa.Table,
    *,
    iou: float = 0.5,
    background: float = 0.1,
    image_weights: Mapping[int, float] | None = None,
) -> ErrorTypes:
    """Error types of a match table of boxes or masks.

    Args:
        matches, overlaps, iou, background: see ``detection_errors.detection_errors``.
        image_weights: image id to how often the image counts; ``None``: each counts once.

    Raises:
        UsageError: the tables hold nothing of these thresholds.
        ContractError: a table is not what it should be, or a weight is negative or not finite.
    """
    found = detection_errors(matches, overlaps, iou=iou, background=background)
    counting = _Counting(found, image_weights)
    as_it_is = counting.average_precisions(_State.of(found))
    has_truths = counting.truth_weights() > 0
    ap = _mean(as_it_is[has_truths])
    fixed = {name: counting.average_precisions(_fixed(found, name)) for name in ERRORS + SPECIAL}
    gains = {name: _mean(values[has_truths]) - ap for name, values in fixed.items()}
    counts = counting.counts()
    return ErrorTypes(
        iou=iou,
        background=background,
        ap=ap,
        counts={name: float(counts[:, place].sum()) for place, name in enumerate(ERRORS)},
        # Less than nothing comes of the recalls that precision is read off at.
        delta_ap={
            name: gain if name in SPECIAL else max(gain, 0.0) for name, gain in gains.items()
        },
        per_class=per_class_errors(
            found.header.category_ids,
            counts,
            np.stack([fixed[name] for name in ERRORS], axis=1),
            np.where(has_truths, as_it_is, -1.0),
        ),
        errors=error_rows(found),
    )


@dataclass(frozen=True, slots=True)
class _State:
    """What average precision is computed of, with something put right.

    Attributes:
        categories: (D,) ids.
        scores: (D,).
        right: (D,) bool, true positives.
        dropped: (D,) bool, those that do not count.
        wanted: (G,) bool, truths that are to be found.
    """

    categories: NDArray[np.int64]
    scores: NDArray[np.float64]
    right: NDArray[np.bool_]
    dropped: NDArray[np.bool_]
    wanted: NDArray[np.bool_]

    @classmethod
    def of(cls, found: DetectionErrors) -> _State:
        detections = found.detections
        return cls(
            detections.categories,
            detections.scores,
            detections.true_positive,
            detections.ignored,
            np.ones(len(found.truths.images), np.bool_),
        )


def _fixed(found: DetectionErrors, name: str) -> _State:
    now = _State.of(found)
    if name == "Miss":
        return _State(now.categories, now.scores, now.right, now.dropped, ~found.missed)
    if name == "FalseNeg":
        return _State(now.categories, now.scores, now.right, now.dropped, found.truths.found)
    if name == "FalsePos":
        scores = now.right.astype(np.float64)
        return _State(now.categories, scores, now.right, now.dropped, now.wanted)
    of_type = found.kinds == ERRORS.index(name)
    mended = of_type & found.mends
    categories = now.categories.copy()
    categories[mended] = found.truths.categories[found.nearest[mended]]
    return _State(
        categories,
        now.scores,
        now.right | mended,
        np.where(of_type, ~mended, now.dropped),
        now.wanted,
    )


class _Counting:
    """Average precisions and counts of what is found, images weighted."""

    def __init__(self, found: DetectionErrors, image_weights: Mapping[int, float] | None) -> None:
        self._found = found
        self._image_weights = image_weights
        self._weights = None if image_weights is None else weight_arrays(image_weights)
        self._category_ids = np.array(found.header.category_ids, np.int64)
        self._axes = CurveAxes(
            1, np.array(found.header.protocol.recalls), (found.header.protocol.most_detections,)
        )

    def average_precisions(self, state: _State) -> NDArray[np.float64]:
        """(K,) at the IoU threshold.

        Of a category without truths it is 0 where there are detections of it, else -1.
        """
        detections, truths = self._found.detections, self._found.truths
        n, g = len(detections.images), len(truths.images)
        rows = MatchRows(
            images=np.concatenate([detections.images, truths.images]),
            categories=np.concatenate([state.categories, truths.categories]),
            is_truth=np.repeat([False, True], [n, g]),
            ranks=np.concatenate([detections.ranks, np.zeros(g, np.int32)]),
            scores=np.concatenate([state.scores, np.zeros(g)]),
            matched=[np.concatenate([state.right, np.zeros(g, np.bool_)]).astype(np.uint8)],
            ignored=[np.concatenate([state.dropped, ~state.wanted]).astype(np.uint8)],
        )
        threads = evaluation_threads()
        order = match_order(rows, self._category_ids, threads=threads)
        curves = precision_recall(rows, order, self._axes, weights=self._weights, threads=threads)
        means = curves.precision[0, :, :, 0, 0].mean(axis=0)
        detected = self._sums(detections.images, state.categories, ~state.dropped) > 0
        return np.where((curves.recall[0, :, 0, 0] < 0) & detected, 0.0, means)

    def truth_weights(self) -> NDArray[np.float64]:
        """(K,) weights of the truths by category."""
        truths = self._found.truths
        return self._sums(truths.images, truths.categories, np.ones(len(truths.images), np.bool_))

    def counts(self) -> NDArray[np.float64]:
        """(K, 6) weights of errors by category and type."""
        found = self._found
        columns = [
            self._sums(found.detections.images, found.detections.categories, found.kinds == place)
            for place in range(len(ERRORS) - 1)
        ]
        missed = self._sums(found.truths.images, found.truths.categories, found.missed)
        return np.stack([*columns, missed], axis=1)

    def _sums(
        self,
        images: NDArray[np.int64],
        categories: NDArray[np.int64],
        counted: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """(K,) the weight of the rows that are counted, by category."""
        weights = row_weights(images, self._image_weights) * counted
        places = np.searchsorted(self._category_ids, categories)
        return np.bincount(places, weights, minlength=len(self._category_ids))


def _mean(values: NDArray[np.float64]) -> float:
    """The mean of those that are there (not -1); -1 if none is."""
    there = values[values > -1]
    return float(there.mean()) if len(there) else -1.0
