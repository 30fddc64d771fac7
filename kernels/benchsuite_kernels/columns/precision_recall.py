"""Precision and recall of a match table, as COCO's protocol accumulates them.

To the bit what pycocotools' ``COCOeval.accumulate`` makes of the same matches, whatever the number
of threads. Precision is at its best where a truth is found, so only true positives are looked at.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns.match_order import MatchOrder, MatchRows
from benchsuite_kernels.dispatch import native, tally

_Floats = NDArray[np.float64]


class CurveAxes(NamedTuple):
    """What curves are read off at.

    Attributes:
        thresholds: T, the number of IoU thresholds, 1 to 64.
        recalls: (R,) float64. Where they do not ascend, those after the first that is not reached
            count as not reached, which is COCOeval's way.
        max_detections: (M,), how many detections of an image and category count, one curve each.
    """

    thresholds: int
    recalls: NDArray[np.float64]
    max_detections: tuple[int, ...]


class ImageWeights(NamedTuple):
    """How often each image counts; an image that is not named does not count.

    Attributes:
        images: (I,) int64 ids, ascending, each once.
        weights: (I,) float64, finite, not negative.
    """

    images: NDArray[np.int64]
    weights: NDArray[np.float64]


class PrecisionRecallArrays(NamedTuple):
    """What COCOeval calls ``eval``; -1 where there is no truth to find.

    Attributes:
        precision: (T, R, K, A, M), the best precision at this recall or a higher one; 0 where the
            recall is not reached.
        recall: (T, K, A, M), the recall of all detections.
        scores: (T, R, K, A, M), the score at which the recall is reached; 0 where it is not.
    """

    precision: _Floats
    recall: _Floats
    scores: _Floats


def precision_recall(
    rows: MatchRows,
    order: MatchOrder,
    axes: CurveAxes,
    *,
    weights: ImageWeights | None = None,
    threads: int,
) -> PrecisionRecallArrays:
    """Precision and recall of a match table.

    Args:
        rows: the table.
        order: ``match_order`` of it.
        axes: thresholds, recalls and numbers of detections.
        weights: of the images; ``None``: each counts once. If all are whole numbers, the outcome is
            to the bit that of an image set in which each image stands that many times, its copies
            next to each other.
        threads: how many may be used; the result does not depend on it.

    Raises:
        ValueError: arrays do not fit together, or ``thresholds`` exceeds the bits.
    """
    extension = native()
    if extension is None:
        from benchsuite_kernels.columns import precision_recall_reference

        tally("precision_recall", "reference")
        found = precision_recall_reference.precision_recall(rows, order, axes, weights)
    else:
        tally("precision_recall", "c++")
        found = extension.precision_recall(
            np.ascontiguousarray(rows.images),
            np.ascontiguousarray(rows.is_truth),
            np.ascontiguousarray(rows.ranks),
            np.ascontiguousarray(rows.scores),
            [np.ascontiguousarray(bits) for bits in rows.matched],
            [np.ascontiguousarray(bits) for bits in rows.ignored],
            (order.detection_starts, order.detections, order.truth_starts, order.truths),
            axes.thresholds,
            axes.recalls,
            axes.max_detections,
            None if weights is None else (weights.images, weights.weights),
            threads,
        )
    return PrecisionRecallArrays(*found)
