"""Matching of detections to truths in NumPy: what the C++ kernel is held against."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns.match_arrays import NEARLY_ONE, Bits, Detections, Matches, Truths
from benchsuite_kernels.columns.overlaps import Floats, Overlaps, Rows
from benchsuite_kernels.columns.overlaps_reference import overlap_matrix

_Flags = NDArray[np.bool_]


def counted_detections(
    groups: Rows, scores: Floats, most_detections: int
) -> tuple[Rows, NDArray[np.int32]]:
    """Rows that count, by ascending group, then descending score, and their ranks in the group."""
    order = np.lexsort((-scores, groups))
    ascending = groups[order]
    ranks = np.arange(len(order)) - np.searchsorted(ascending, ascending)
    counted = ranks < most_detections
    return order[counted], ranks[counted].astype(np.int32)


def match_detections(
    detections: Detections,
    truths: Truths,
    overlaps: Overlaps,
    iou_thresholds: Floats,
    area_ranges: Floats,
    most_detections: int,
    which: bool = False,
) -> Matches:
    """See ``detection_match.match_detections``."""
    order, ranks = counted_detections(detections.groups, detections.scores, most_detections)
    outside = _outside(detections.areas[order], area_ranges)
    if detections.ignored_if_unmatched is not None:
        outside |= detections.ignored_if_unmatched[order]
    truth_ignored = _outside(truths.areas, area_ranges) | truths.ignored

    count = len(iou_thresholds)
    matched = np.zeros((len(area_ranges), count, len(order)), np.bool_)
    ignored = np.zeros_like(matched)
    takes = np.full(matched.shape, -1, np.int32)
    truth_matched = np.zeros((len(area_ranges), count, len(truths)), np.bool_)
    loses = np.zeros(len(truths), np.bool_) if truths.loses_match is None else truths.loses_match
    for rows, members in _shared_groups(detections.groups[order], truths.groups):
        crowd = truths.crowd[members]
        matrix = overlap_matrix(overlaps, order[rows], members, crowd)
        for area in range(len(area_ranges)):
            for t, threshold in enumerate(iou_thresholds.tolist()):
                taken = _taken(
                    matrix, min(threshold, NEARLY_ONE), truth_ignored[area, members], crowd
                )
                takers = taken >= 0
                chosen = members[taken[takers]]
                matched[area, t, rows[takers]] = ~loses[chosen]
                ignored[area, t, rows[takers]] = truth_ignored[area, chosen]
                truth_matched[area, t, chosen] = True
                takes[area, t, rows[takers]] = chosen
    ignored |= ~matched & outside[:, None]
    return Matches(
        order=order.astype(np.int64),
        ranks=ranks,
        matched=_bits(matched),
        ignored=_bits(ignored),
        truth_matched=_bits(truth_matched),
        truth_ignored=_bits(np.repeat(truth_ignored[:, None], count, axis=1)),
        takes=takes if which else None,
    )


def _outside(areas: Floats, area_ranges: Floats) -> _Flags:
    """(A, N) whether an area lies outside of a range, both of whose ends belong to it."""
    low, high = area_ranges[:, :1], area_ranges[:, 1:]
    return np.asarray((areas < low) | (areas > high))


def _shared_groups(ascending: Rows, truth_groups: Rows) -> list[tuple[Rows, Rows]]:
    """Places in ``ascending`` and rows of truths, of each group that has both."""
    truth_order = np.argsort(truth_groups, kind="stable")
    sorted_truths = truth_groups[truth_order]
    shared = []
    for group in np.intersect1d(ascending, sorted_truths):
        first, last = (np.searchsorted(ascending, group, side) for side in ("left", "right"))
        of_truths = slice(
            *(np.searchsorted(sorted_truths, group, side) for side in ("left", "right"))
        )
        shared.append((np.arange(first, last), truth_order[of_truths]))
    return shared


def _taken(matrix: Floats, least: float, ignored: _Flags, crowd: _Flags) -> NDArray[np.int64]:
    """(D,) which truth each detection takes, -1 for none, at one threshold and area range."""
    ignored_last = np.argsort(ignored, kind="stable")
    free = np.ones(len(ignored), np.bool_)
    taken = np.full(len(matrix), -1, np.int64)
    for d, overlaps in enumerate(matrix):
        best, chosen = least, -1
        for t in ignored_last.tolist():
            if not (free[t] or crowd[t]):
                continue
            if chosen >= 0 and ignored[t] and not ignored[chosen]:
                break
            # An overlap that is not a number is not less than any.
            if not overlaps[t] < best:
                best, chosen = overlaps[t], t
        if chosen >= 0:
            free[chosen] = False
            taken[d] = chosen
    return taken


def _bits(flags: _Flags) -> Bits:
    """(A, T, N) bool to (A, N) numbers, bit ``t`` being flag ``t``."""
    count = flags.shape[1]
    dtypes: tuple[Any, ...] = (np.uint8, np.uint16, np.uint32, np.uint64)
    dtype = next(each for each in dtypes if np.iinfo(each).bits >= count)
    packed = np.zeros((flags.shape[0], flags.shape[2]), dtype)
    for t in range(count):
        packed |= flags[:, t].astype(dtype) << dtype(t)
    return packed
