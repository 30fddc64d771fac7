"""Which categories are taken for which: the confusion matrix of detections.

Detections at or above a score are matched to truths whatever their categories: by descending score,
each takes of the truths of its image that are not taken the one it overlaps most, where that
reaches the IoU threshold. (COCO's rule, categories left aside.) A matched pair counts in the row of
the truth's category and the column of the detection's. A truth that nothing takes counts in the
last column, the background's; a detection that takes nothing in the last row. Those of the latter
that the protocol ignores (on a crowd, or of a category that is not annotated exhaustively) do not
count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy
from benchsuite.errors import ContractError, UsageError
from benchsuite_kernels.columns.match_arrays import NEARLY_ONE
from benchsuite_plugins.metrics.counted_matches import known_pairs, read_matches
from benchsuite_plugins.metrics.image_weights import row_weights
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.overlap_table import OverlapHeader

CELLS = pa.schema(
    [
        pa.field("truth_category_id", pa.int64()),
        pa.field("category_id", pa.int64()),
        pa.field("count", pa.float64(), nullable=False),
    ]
)
"""One row a cell that is not 0; a category is null where it is the background."""


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """Counts of pairs of categories.

    Attributes:
        category_ids: (K,), ascending.
        counts: (K + 1, K + 1) float64: rows are truths' categories, columns are detections', the
            last of each the background. Sums of images' weights.
        iou: the overlap that a match takes.
        score: the least score of a detection that counts.
    """

    category_ids: tuple[int, ...]
    counts: NDArray[np.float64]
    iou: float
    score: float

    def confused(self) -> list[tuple[int, int, float, float]]:
        """Places of two categories, how often the first was taken for the second, and the share of
        the first's truths; most often first."""
        between = self.counts[:-1, :-1].copy()
        np.fill_diagonal(between, 0)
        rows, columns = np.nonzero(between)
        counts = between[rows, columns]
        order = np.lexsort((columns, rows, -counts))
        shares = counts / self.counts.sum(axis=1)[rows]
        found = (rows[order], columns[order], counts[order], shares[order])
        return list(zip(*(values.tolist() for values in found)))

    def cells(self) -> pa.Table:
        """``CELLS``, row by row."""
        rows, columns = np.nonzero(self.counts)
        ids = np.append(np.array(self.category_ids, np.int64), 0)
        background = len(self.category_ids)
        return pa.Table.from_arrays(
            [
                from_numpy(ids[rows], rows < background),
                from_numpy(ids[columns], columns < background),
                from_numpy(self.counts[rows, columns]),
            ],
            schema=CELLS,
        )


def confusion_matrix(
    matches: pa.Table,
    overlaps: pa.Table,
    *,
    iou: float = 0.5,
    score: float = 0.3,
    image_weights: Mapping[int, float] | None = None,
) -> ConfusionMatrix:
    """The confusion matrix of a match table of boxes or masks.

    Args:
        matches: the match table; tables of different images may be concatenated.
        overlaps: its overlap table; of more images is no harm.
        iou: one of the match table's IoU thresholds.
        score: detections below it do not count.
        image_weights: image id to how often the image counts; ``None``: each counts once.

    Raises:
        UsageError: the tables hold nothing of this threshold.
        ContractError: a table is not what it should be, or a weight is negative or not finite.
    """
    header, of_overlaps = MatchHeader.of(matches), OverlapHeader.of(overlaps)
    if of_overlaps.task != header.protocol.task:
        raise ContractError(
            f"overlaps of {of_overlaps.task} do not go with matches of {header.protocol.task}"
        )
    if iou < of_overlaps.least:
        raise UsageError(f"overlaps are known from {of_overlaps.least} on, not from {iou}")
    detections, truths = read_matches(matches, header, iou)
    rows, named, values = known_pairs(overlaps, detections, truths)
    reaches = (values >= min(iou, NEARLY_ONE)) & (detections.scores[rows] >= score)
    rows, named, values = rows[reaches], named[reaches], values[reaches]
    # By descending score, the earlier in the file first among equals; of truths overlapped equally
    # the one with the highest id.
    best_first = np.lexsort(
        (
            -truths.sources[named],
            -values,
            detections.sources[rows],
            detections.images[rows],
            -detections.scores[rows],
        )
    )
    taken = _taken(rows[best_first], named[best_first], len(truths.images))

    category_ids = np.array(header.category_ids, np.int64)
    background = len(category_ids)
    truth_places = np.searchsorted(category_ids, truths.categories)
    detection_places = np.searchsorted(category_ids, detections.categories)
    matched = taken >= 0
    free = np.ones(len(detections.images), np.bool_)
    free[taken[matched]] = False
    wrong = np.flatnonzero(free & (detections.scores >= score) & ~detections.ignored)
    found_as = np.full(len(taken), background)
    found_as[matched] = detection_places[taken[matched]]
    cells = np.concatenate(
        [
            truth_places * (background + 1) + found_as,
            background * (background + 1) + detection_places[wrong],
        ]
    )
    weights = row_weights(np.concatenate([truths.images, detections.images[wrong]]), image_weights)
    counts = np.bincount(cells, weights, minlength=(background + 1) ** 2)
    return ConfusionMatrix(
        header.category_ids, counts.reshape(background + 1, background + 1), iou, score
    )


def _taken(rows: NDArray[np.int64], named: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """(G,) the detection that takes each truth, -1: none.

    Args:
        rows, named: pairs of detections and truths, by detection in the order that they choose in,
            then by the order that each prefers truths in.
        count: G.
    """
    taken = [-1] * count
    chosen = -1
    for row, truth in zip(rows.tolist(), named.tolist()):
        if row != chosen and taken[truth] < 0:
            taken[truth] = chosen = row
    return np.array(taken, np.int64)
