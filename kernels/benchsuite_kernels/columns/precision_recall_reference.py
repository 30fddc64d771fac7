"""Precision and recall of a match table in NumPy: what the C++ kernel is held against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from benchsuite_kernels.columns.match_order import MatchOrder, MatchRows
    from benchsuite_kernels.columns.precision_recall import CurveAxes, ImageWeights

_Floats = NDArray[np.float64]
_Rows = NDArray[np.int64]


def precision_recall(
    rows: MatchRows, order: MatchOrder, axes: CurveAxes, weights: ImageWeights | None
) -> tuple[_Floats, _Floats, _Floats]:
    """Precision, recall and scores."""
    categories, areas = len(order.detection_starts) - 1, len(rows.matched)
    shape = (
        axes.thresholds,
        len(axes.recalls),
        categories,
        areas,
        len(axes.max_detections),
    )
    precision, scores = np.full((2, *shape), -1.0)
    recall = np.full((shape[0], *shape[2:]), -1.0)
    of_rows = None if weights is None else row_weights(rows.images, weights)
    in_turns = weights is not None and are_whole(weights, len(rows.images))
    for k in range(categories):
        truths = order.truths[order.truth_starts[k] : order.truth_starts[k + 1]]
        detections = order.detections[order.detection_starts[k] : order.detection_starts[k + 1]]
        counts = np.ones(len(detections))
        if of_rows is not None:
            detections = detections[of_rows[detections] > 0]
            if in_turns:
                detections, counts = repeated_ties(rows, detections, of_rows)
            else:
                counts = of_rows[detections]
        for a in range(areas):
            wanted = truths[rows.ignored[a][truths] == 0]
            # One after the other, as the kernel adds them: sum() adds in another order.
            total = len(wanted) if of_rows is None else _last(np.cumsum(of_rows[wanted]))
            if not total > 0:
                continue
            matched = _unpacked(rows.matched[a][detections], axes.thresholds)
            ignored = _unpacked(rows.ignored[a][detections], axes.thresholds)
            for m, most in enumerate(axes.max_detections):
                counted = rows.ranks[detections] < most
                curves = _read_off(
                    matched[:, counted],
                    ignored[:, counted],
                    counts[counted],
                    rows.scores[detections[counted]],
                    total,
                    axes.recalls,
                )
                precision[:, :, k, a, m], recall[:, k, a, m], scores[:, :, k, a, m] = curves
    return precision, recall, scores


def row_weights(images: _Rows, weights: ImageWeights) -> _Floats:
    """(N,) the weight of each row's image, 0 for an image that is not named."""
    if not len(weights.images):
        return np.zeros(len(images))
    places = np.minimum(np.searchsorted(weights.images, images), len(weights.images) - 1)
    return np.where(weights.images[places] == images, weights.weights[places], 0.0)


def are_whole(weights: ImageWeights, rows: int) -> bool:
    """Whether all are whole numbers, and the sums over so many rows exact in any order."""
    return bool((weights.weights % 1 == 0).all()) and weights.weights.max(initial=0) * rows < 2**53


def repeated_ties(rows: MatchRows, detections: _Rows, weights: _Floats) -> tuple[_Rows, _Floats]:
    """Repeats stretches of tied rows as an image that stands several times would.

    A row of weight w counts as w equal rows in succession. For rows that share category, score and
    image that is the wrong succession: two such rows a and b of an image that stands twice are
    counted a b a b, not a a b b. So they are repeated here.

    Args:
        rows: the table.
        detections: rows of one category, in counting order, of images that count.
        weights: (N,), of all rows of the table, whole numbers.

    Returns:
        The rows, some repeated, and the weight of each.
    """
    own, images, scores = weights[detections], rows.images[detections], rows.scores[detections]
    if not len(detections):
        return detections, own
    tied = (scores[1:] == scores[:-1]) | (np.isnan(scores[1:]) & np.isnan(scores[:-1]))
    begins = np.append(True, (images[1:] != images[:-1]) | ~tied)
    starts = np.flatnonzero(begins)
    lengths = np.diff(np.append(starts, len(detections)))
    repeats = np.where(lengths > 1, own[starts], 1).astype(np.int64)
    sizes = lengths * repeats
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    places = np.repeat(starts, sizes) + within % np.repeat(lengths, sizes)
    return detections[places], own[places] / np.repeat(repeats, sizes)


def _unpacked(bits: NDArray[np.unsignedinteger[Any]], thresholds: int) -> NDArray[np.bool_]:
    """(T, N) bool of (N,) integers."""
    shifts = np.arange(thresholds, dtype=bits.dtype)[:, None]
    return (bits >> shifts & 1).astype(np.bool_)


def _last(sums: _Floats) -> float:
    return float(sums[-1]) if len(sums) else 0.0


def _read_off(
    matched: NDArray[np.bool_],
    ignored: NDArray[np.bool_],
    weights: _Floats,
    scores: _Floats,
    truths: float,
    recalls: _Floats,
) -> tuple[_Floats, _Floats, _Floats]:
    """Precision (T, R), recall (T,) and score (T, R) of one category's detections, in order."""
    thresholds = len(matched)
    precision, score = np.zeros((2, thresholds, len(recalls)))
    recall = np.zeros(thresholds)
    if not len(scores):
        return precision, recall, score
    wrong = ~(matched | ignored)
    # False positives at every threshold are added up apart from the others.
    everywhere = wrong.all(axis=0)
    false_positives = np.cumsum(everywhere * weights) + np.cumsum(
        (wrong & ~everywhere) * weights, axis=1
    )
    for t, true_positive in enumerate(matched & ~ignored):
        found = np.flatnonzero(true_positive)
        true = np.cumsum(weights[found])
        exact = true / (false_positives[t, found] + true + np.spacing(1))
        best = np.append(np.maximum.accumulate(exact[::-1])[::-1], 0.0)
        reached = true / truths
        recall[t] = _last(reached)
        # Recall 0 is reached by the first detection, whatever it is.
        at = np.where(recalls <= 0, 0, np.searchsorted(reached, recalls, side="left"))
        within = (recalls <= 0) | (at < len(found))
        within = np.logical_and.accumulate(within)
        precision[t, within] = best[at[within]]
        rows = np.where(recalls <= 0, 0, np.append(found, 0)[at])
        score[t, within] = scores[rows[within]]
    return precision, recall, score
