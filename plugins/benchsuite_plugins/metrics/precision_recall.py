"""Precision and recall of COCO match tables, equal to ``COCOeval.accumulate`` to the bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.errors import ContractError
from benchsuite_plugins.metrics.image_weights import repeated_ties, row_weights
from benchsuite_plugins.metrics.match_table import MatchHeader

_Floats = NDArray[np.float64]
_Bits = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """What COCOeval calls ``eval``; -1 where there is no truth to find.

    T, R, K, A and M are the protocol's IoU thresholds and recalls, the categories, the area ranges
    and the numbers of detections.

    Attributes:
        header: what the axes stand for.
        precision: (T, R, K, A, M), the best precision at this recall or a higher one; 0 where the
            recall is not reached.
        recall: (T, K, A, M), the recall of all detections.
        scores: (T, R, K, A, M), the score at which the recall is reached; 0 where it is not.
    """

    header: MatchHeader
    precision: _Floats
    recall: _Floats
    scores: _Floats


def accumulate(
    matches: pa.Table, image_weights: Mapping[int, float] | None = None
) -> PrecisionRecall:
    """Precision and recall of a match table.

    Args:
        matches: rows in any order; tables of different images may be concatenated.
        image_weights: image id to how often the image counts; an image not named counts 0. With
            whole numbers the outcome is to the bit that of an image set in which each image stands
            that many times, its copies next to each other. ``None``: each counts once.

    Raises:
        ContractError: the table is no match table, or a weight is negative or not finite.
    """
    header = MatchHeader.of(matches)
    protocol = header.protocol
    shape = (
        len(protocol.iou_thresholds),
        len(protocol.recalls),
        len(header.category_ids),
        len(protocol.areas),
        len(protocol.max_detections),
    )
    precision, scores = -np.ones(shape), -np.ones(shape)
    recall = -np.ones((shape[0], *shape[2:]))
    rows = _Rows.of(matches, header, image_weights)
    for k, a in zip(*np.nonzero(rows.truths > 0)):
        of_category = slice(rows.starts[k], rows.starts[k + 1])
        ranks, weights = rows.ranks[of_category], rows.weights[of_category]
        curves = _Curves(
            matched=_unpacked(rows.matched[a, of_category], shape[0]),
            ignored=_unpacked(rows.ignored[a, of_category], shape[0]),
            weights=weights,
            scores=rows.scores[of_category],
        )
        for m, most in enumerate(protocol.max_detections):
            precision[:, :, k, a, m], recall[:, k, a, m], scores[:, :, k, a, m] = curves.read_off(
                ranks < most, rows.truths[k, a], np.array(protocol.recalls)
            )
    return PrecisionRecall(header, precision, recall, scores)


@dataclass(frozen=True, slots=True)
class _Rows:
    """A match table's rows in the order that they are counted in.

    Attributes:
        starts: (K + 1,), where each category's detections begin.
        ranks, weights, scores: (N,), of the detections: by category, then descending score, then
            ascending image id, then rank.
        matched, ignored: (A, N), of the detections.
        truths: (K, A), the weight of the truths that are to be found.
    """

    starts: NDArray[np.int64]
    ranks: NDArray[np.int32]
    weights: _Floats
    scores: _Floats
    matched: _Bits
    ignored: _Bits
    truths: _Floats

    @classmethod
    def of(
        cls, matches: pa.Table, header: MatchHeader, image_weights: Mapping[int, float] | None
    ) -> _Rows:
        categories = np.array(header.category_ids, np.int64)
        ids = matches["category_id"].to_numpy()
        if not np.isin(ids, categories).all():
            raise ContractError("the match table holds categories that its header does not name")
        places = np.searchsorted(categories, ids)
        images = matches["image_id"].to_numpy()
        weights = row_weights(images, image_weights)
        is_truth = matches["is_truth"].to_numpy()
        areas = header.protocol.areas

        counted = np.flatnonzero(is_truth & (weights > 0))
        truths = [
            np.bincount(
                places[counted],
                weights[counted] * (matches[f"ignored_{area}"].to_numpy()[counted] == 0),
                minlength=len(categories),
            )
            for area in areas
        ]
        rows = np.flatnonzero(~is_truth & (weights > 0))
        ranks, scores = (_without_nulls(matches[name]) for name in ("rank", "score"))
        rows = rows[np.lexsort((ranks[rows], images[rows], -scores[rows], places[rows]))]
        if image_weights is not None:
            rows, weights = repeated_ties(rows, (places, scores, images), weights)
        else:
            weights = weights[rows]
        return cls(
            starts=np.searchsorted(places[rows], np.arange(len(categories) + 1)),
            ranks=ranks[rows],
            weights=weights,
            scores=scores[rows],
            matched=np.stack([matches[f"matched_{area}"].to_numpy()[rows] for area in areas]),
            ignored=np.stack([matches[f"ignored_{area}"].to_numpy()[rows] for area in areas]),
            truths=np.stack(truths, axis=1),
        )


def _without_nulls(column: Any) -> NDArray[Any]:
    """The column, 0 where it is null."""
    return np.asarray(column.fill_null(0).to_numpy())


def _unpacked(bits: _Bits, thresholds: int) -> NDArray[np.bool_]:
    """(T, N) bool of (N,) integers."""
    shifts = np.arange(thresholds, dtype=bits.dtype)[:, None]
    return (bits >> shifts & 1).astype(np.bool_)


@dataclass(frozen=True, slots=True)
class _Curves:
    """The detections of one category and area range, by descending score.

    Attributes:
        matched, ignored: (T, N) bool.
        weights, scores: (N,).
    """

    matched: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    weights: _Floats
    scores: _Floats

    def read_off(
        self, counted: NDArray[np.bool_], truths: float, recalls: _Floats
    ) -> tuple[_Floats, _Floats, _Floats]:
        """Precision (T, R), recall (T,) and score (T, R) of the detections that are counted.

        Precision is at its best where a truth is found, so that only true positives are looked at.
        """
        thresholds = len(self.matched)
        precision, score = np.zeros((2, thresholds, len(recalls)))
        recall = np.zeros(thresholds)
        if not counted.any():
            return precision, recall, score
        matched, ignored = self.matched[:, counted], self.ignored[:, counted]
        weights, scores = self.weights[counted], self.scores[counted]
        false_positives = np.cumsum(~(matched | ignored) * weights, axis=1)
        # Recall 0 is reached by the first detection, whatever it is.
        score[:, recalls <= 0] = scores[0]
        for t, true_positive in enumerate(matched & ~ignored):
            found = np.flatnonzero(true_positive)
            if not len(found):
                continue
            true = np.cumsum(weights[found])
            exact = true / (false_positives[t, found] + true + np.spacing(1))
            best = np.maximum.accumulate(exact[::-1])[::-1]
            reached = true / truths
            recall[t] = reached[-1]
            at = np.searchsorted(reached, recalls, side="left")
            within = at < len(found)
            precision[t, within] = best[at[within]]
            within &= recalls > 0
            score[t, within] = scores[found[at[within]]]
        return precision, recall, score
