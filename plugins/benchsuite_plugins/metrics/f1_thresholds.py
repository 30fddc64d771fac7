"""The score threshold at which each category's F1 is best, from a match table.

Average precision is a sum over all thresholds; whoever uses a detector picks one. F1 is the
harmonic mean of precision and recall: ``2 TP / (2 TP + FP + FN)``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy
from benchsuite.errors import ContractError
from benchsuite_kernels.columns.match_order import MatchOrder, MatchRows
from benchsuite_plugins.metrics.image_weights import row_weights
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.precision_recall import counting_order, match_rows

_Floats = NDArray[np.float64]

F1_THRESHOLDS = pa.schema(
    [
        pa.field("category_id", pa.int64()),
        pa.field("iou", pa.float64(), nullable=False),
        pa.field("score", pa.float64()),
        pa.field("f1", pa.float64()),
        pa.field("precision", pa.float64()),
        pa.field("recall", pa.float64()),
        pa.field("true_positives", pa.float64(), nullable=False),
        pa.field("false_positives", pa.float64(), nullable=False),
        pa.field("false_negatives", pa.float64(), nullable=False),
    ]
)
"""One row a category, then one of all together at one threshold, whose ``category_id`` is null.

Detections of ``score`` or more count; among thresholds of the same F1 it is the highest. What does
not exist is null: everything where there is no truth to find, ``score`` and ``precision`` where
nothing is found at any threshold (F1 is 0 then).
"""


def f1_thresholds(
    matches: pa.Table,
    *,
    iou: float = 0.5,
    area: str = "all",
    image_weights: Mapping[int, float] | None = None,
) -> pa.Table:
    """``F1_THRESHOLDS`` of a match table.

    Args:
        matches: rows in any order.
        iou: one of the table's IoU thresholds.
        area: one of its area ranges.
        image_weights: image id to how often the image counts, 0 where it is not named; ``None``:
            each counts once.

    Raises:
        ContractError: the table is no match table or has no such threshold or area range, or a
            weight is negative or not finite.
    """
    header = MatchHeader.of(matches)
    protocol = header.protocol
    if iou not in protocol.iou_thresholds or area not in protocol.areas:
        raise ContractError(f"the match table has no IoU threshold {iou} or no area range {area!r}")
    rows = match_rows(matches, header)
    counts = _Counts.of(
        rows,
        counting_order(rows, header),
        protocol.iou_thresholds.index(iou),
        protocol.areas.index(area),
        row_weights(rows.images, image_weights),
    )
    best = [counts.best(), counts.together().best()]
    score, true, false, truths = (np.concatenate(columns) for columns in zip(*best))
    with np.errstate(invalid="ignore"):
        f1 = 2 * true / (true + false + truths)
        precision, recall = true / (true + false), true / truths
    ids = np.append(np.array(header.category_ids, np.int64), 0)
    columns = [
        from_numpy(ids, np.arange(len(ids)) < len(ids) - 1),
        from_numpy(np.full(len(ids), iou)),
        from_numpy(score, (truths > 0) & (true > 0)),
        from_numpy(f1, truths > 0),
        from_numpy(precision, (truths > 0) & (true > 0)),
        from_numpy(recall, truths > 0),
        from_numpy(true),
        from_numpy(false),
        from_numpy(truths - true),
    ]
    return pa.Table.from_arrays(columns, schema=F1_THRESHOLDS)


class _Counts:
    """Detections in counting order, and the truths to be found.

    Args:
        starts: (K + 1,), where each category's detections begin.
        scores, true, false: (N,), scores and the weights that count as right and wrong.
        truths: (K,), weights.
    """

    def __init__(
        self,
        starts: NDArray[np.int64],
        scores: _Floats,
        true: _Floats,
        false: _Floats,
        truths: _Floats,
    ) -> None:
        self._starts, self._scores = starts, scores
        self._true, self._false, self._truths = true, false, truths

    @classmethod
    def of(
        cls, rows: MatchRows, order: MatchOrder, threshold: int, area: int, weights: _Floats
    ) -> _Counts:
        """Those of one IoU threshold and area range."""
        detections = order.detections
        matched, ignored = (
            bits[area][detections] >> threshold & 1 > 0 for bits in (rows.matched, rows.ignored)
        )
        # A score that is not a number is above no threshold.
        own = np.where(np.isnan(rows.scores[detections]), 0.0, weights[detections])
        wanted = weights[order.truths] * (rows.ignored[area][order.truths] == 0)
        return cls(
            order.detection_starts,
            rows.scores[detections],
            own * (matched & ~ignored),
            own * ~(matched | ignored),
            np.diff(np.append(0.0, np.cumsum(wanted))[order.truth_starts]),
        )

    def together(self) -> _Counts:
        """As if all were of one category."""
        order = np.argsort(-self._scores, kind="stable")
        return _Counts(
            np.array([0, len(order)]),
            self._scores[order],
            self._true[order],
            self._false[order],
            self._truths.sum(keepdims=True),
        )

    def best(self) -> tuple[_Floats, _Floats, _Floats, _Floats]:
        """(K,) score, right and wrong at the best threshold; zeros without one; and truths."""
        score, true, false = np.zeros((3, len(self._truths)))
        categories = np.repeat(np.arange(len(self._truths)), np.diff(self._starts))
        true_until, false_until = (
            np.cumsum(each) - np.append(0.0, np.cumsum(each))[self._starts][categories]
            for each in (self._true, self._false)
        )
        # A threshold lets in all detections of its score: only the last of them can be it.
        last = np.ones(len(categories), np.bool_)
        last[:-1] = (categories[1:] != categories[:-1]) | (self._scores[1:] != self._scores[:-1])
        possible = np.flatnonzero(last & (true_until > 0) & (self._truths[categories] > 0))
        found, truths = true_until[possible], self._truths[categories[possible]]
        f1 = 2 * found / (found + false_until[possible] + truths)
        # Within a category the best comes first, and of equals the one of the highest score.
        ordered = possible[np.lexsort((-f1, categories[possible]))]
        chosen, first = np.unique(categories[ordered], return_index=True)
        at = ordered[first]
        score[chosen], true[chosen], false[chosen] = (
            column[at] for column in (self._scores, true_until, false_until)
        )
        return score, true, false, self._truths
