"""Which truth a detection overlaps most, by VOC's overlap of boxes.

A box is ``xmin, ymin, xmax, ymax`` in pixels counted from 1, both ends inside: 1 is added to every
difference of coordinates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

PAIRS_AT_ONCE = 1 << 20


class BestTruths(NamedTuple):
    """For each of N detections.

    Attributes:
        overlaps: (N,) the best overlap; -inf where there is no truth.
        truths: (N,) the truth that has it, the first in file order among equals; -1 where there is
            none.
    """

    overlaps: _Floats
    truths: _Ints


def best_truths(
    detections: _Floats, detection_groups: _Ints, truths: _Floats, truth_groups: _Ints
) -> BestTruths:
    """The best truth of each detection among those of its group.

    Args:
        detections: (N, 4) boxes.
        detection_groups: (N,) a number for each image and category.
        truths: (G, 4) boxes in file order.
        truth_groups: (G,) likewise.
    """
    order = np.argsort(truth_groups, kind="stable")
    ascending = truth_groups[order]
    starts = np.searchsorted(ascending, detection_groups, side="left")
    counts = np.searchsorted(ascending, detection_groups, side="right") - starts
    best = BestTruths(np.full(len(detections), -np.inf), np.full(len(detections), -1, np.int64))
    rows = np.flatnonzero(counts)
    pairs_before = np.cumsum(counts[rows]) - counts[rows]
    for part in _parts(pairs_before, counts[rows]):
        some = rows[part]
        first = np.cumsum(counts[some]) - counts[some]
        within = np.arange(counts[some].sum()) - np.repeat(first, counts[some])
        pair_truths = order[np.repeat(starts[some], counts[some]) + within]
        overlaps = _overlaps(np.repeat(detections[some], counts[some], axis=0), truths[pair_truths])
        most = np.maximum.reduceat(overlaps, first)
        # Of the pairs that reach their detection's best overlap, each detection's first.
        reaching = np.flatnonzero(overlaps == np.repeat(most, counts[some]))
        chosen = reaching[np.searchsorted(reaching, first)]
        best.overlaps[some], best.truths[some] = most, pair_truths[chosen]
    return best


def _parts(pairs_before: _Ints, counts: _Ints) -> list[slice]:
    """Stretches of detections with about as many pairs as are looked at at once."""
    if not len(counts):
        return []
    steps = np.arange(0, pairs_before[-1] + counts[-1], PAIRS_AT_ONCE)
    cuts = np.unique(np.searchsorted(pairs_before, steps))
    return [slice(*ends) for ends in zip(cuts.tolist(), [*cuts[1:].tolist(), len(counts)])]


def _overlaps(detections: _Floats, truths: _Floats) -> _Floats:
    """(P,) intersection over union of P pairs."""
    low = np.maximum(truths[:, :2], detections[:, :2])
    high = np.minimum(truths[:, 2:], detections[:, 2:])
    shared = np.maximum(high - low + 1.0, 0.0)
    intersections = shared[:, 0] * shared[:, 1]
    areas = [
        (boxes[:, 2] - boxes[:, 0] + 1.0) * (boxes[:, 3] - boxes[:, 1] + 1.0)
        for boxes in (detections, truths)
    ]
    return np.asarray(intersections / (areas[0] + areas[1] - intersections))
