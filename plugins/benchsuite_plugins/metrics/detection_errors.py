"""What is wrong with each detection, and which truths are missed: the errors that TIDE tells apart.

A detection that is no true positive is, in this order (``o`` being its largest IoU with a truth of
its own category, ``p`` that with one of another, ``t`` the IoU a match takes and ``b`` that below
which there is background):

* ``Loc``, of the right category but badly placed: ``b <= o <= t``;
* ``Cls``, well placed but of the wrong category: ``p >= t``;
* ``Dupe``, the second detection of a truth: ``o >= t``;
* ``Bkg``, of the background: ``o`` and ``p`` at most ``b``;
* ``Both``, of the wrong category and badly placed: all else.

A truth that is not found, and that no error of the first two kinds is nearest to, is ``Miss``.

Bolya et al., TIDE: A General Toolbox for Identifying Object Detection Errors, 2020, as its package
``tidecv`` decides in doubtful cases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.errors import ContractError, UsageError
from benchsuite_plugins.metrics.counted_matches import (
    CountedDetections,
    WantedTruths,
    known_pairs,
    read_matches,
)
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.overlap_table import OverlapHeader

ERRORS = ("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss")
"""In TIDE's order."""

_Rows = NDArray[np.int64]
_Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class DetectionErrors:
    """The errors of a match table.

    Attributes:
        header: the match table's.
        iou, background: ``t`` and ``b``.
        detections, truths: what the errors are of.
        kinds: (D,) int8, the place of a detection's error in ``ERRORS``; -1: it has none.
        nearest: (D,) int64, the truth that an error of kind ``Cls``, ``Loc`` or ``Dupe`` is about,
            as a place among ``truths``; else -1.
        overlaps: (D,) float64, its IoU with that truth; else the largest with any.
        mends: (D,) bool, whether the detection would find its truth if its error were put right:
            of all that would find a truth that is not found, the one of the highest score.
        missed: (G,) bool.
    """

    header: MatchHeader
    iou: float
    background: float
    detections: CountedDetections
    truths: WantedTruths
    kinds: NDArray[np.int8]
    nearest: _Rows
    overlaps: NDArray[np.float64]
    mends: _Flags
    missed: _Flags


def detection_errors(
    matches: pa.Table, overlaps: pa.Table, *, iou: float = 0.5, background: float = 0.1
) -> DetectionErrors:
    """Finds the errors.

    Args:
        matches: a match table of boxes or masks.
        overlaps: its overlap table; of more images is no harm.
        iou: one of the match table's IoU thresholds.
        background: IoU up to which a detection is of the background.

    Raises:
        UsageError: the tables hold nothing of these thresholds.
        ContractError: a table is not what it should be.
    """
    header = MatchHeader.of(matches)
    _check(header, OverlapHeader.of(overlaps), iou, background)
    detections, truths = read_matches(matches, header, iou)
    rows, named, values = known_pairs(overlaps, detections, truths)
    same = detections.categories[rows] == truths.categories[named]
    n = len(detections.images)
    own, of_own = _largest(rows[same], named[same], values[same], truths.sources, n)
    other, of_other = _largest(rows[~same], named[~same], values[~same], truths.sources, n)

    wrong = ~detections.true_positive
    largest = np.maximum(own, other)
    rules = {
        "Loc": (background <= own) & (own <= iou),
        "Cls": other >= iou,
        "Dupe": own >= iou,
        "Bkg": largest <= background,
    }
    kinds = np.select([~wrong, *rules.values()], [-1, *map(ERRORS.index, rules)], 2)
    is_kind = {name: kinds == place for place, name in enumerate(ERRORS)}
    about_own = is_kind["Loc"] | is_kind["Dupe"]
    nearest = np.where(about_own, of_own, np.where(is_kind["Cls"], of_other, -1))
    mendable = np.zeros(n, np.bool_)
    near = np.flatnonzero(is_kind["Loc"] | is_kind["Cls"])
    mendable[near] = ~truths.found[nearest[near]]
    missed = ~truths.found
    missed[nearest[mendable]] = False
    return DetectionErrors(
        header=header,
        iou=iou,
        background=background,
        detections=detections,
        truths=truths,
        kinds=kinds.astype(np.int8),
        nearest=nearest,
        overlaps=np.where(about_own, own, np.where(is_kind["Cls"], other, largest)),
        mends=_best_of_each_truth(detections, nearest, mendable),
        missed=missed,
    )


def _check(header: MatchHeader, of_overlaps: OverlapHeader, iou: float, background: float) -> None:
    if of_overlaps.task != header.protocol.task:
        raise ContractError(
            f"overlaps of {of_overlaps.task} do not go with matches of {header.protocol.task}"
        )
    if not of_overlaps.least <= background < iou:
        raise UsageError(
            f"the background's IoU must be from {of_overlaps.least}, the least overlap that is"
            f" known, to less than {iou}; it is {background}"
        )


def _largest(
    rows: _Rows, named: _Rows, values: NDArray[np.float64], ids: _Rows, count: int
) -> tuple[NDArray[np.float64], _Rows]:
    """(D,) the largest overlap of each detection, 0 if there is none, and the truth it is with.

    Of truths overlapped equally it is the one with the lowest id.
    """
    order = np.lexsort((ids[named], -values, rows))
    ascending = rows[order]
    first = order[np.flatnonzero(np.diff(ascending, prepend=-1))]
    largest, truths = np.zeros(count), np.full(count, -1, np.int64)
    largest[rows[first]], truths[rows[first]] = values[first], named[first]
    return largest, truths


def _best_of_each_truth(detections: CountedDetections, nearest: _Rows, mendable: _Flags) -> _Flags:
    """(D,) of the detections that may find a truth, which has the highest score for it.

    Among equal scores it is the earlier in the file.
    """
    rows = np.flatnonzero(mendable)
    order = rows[np.lexsort((detections.sources[rows], -detections.scores[rows], nearest[rows]))]
    best = np.zeros(len(mendable), np.bool_)
    best[order[np.flatnonzero(np.diff(nearest[order], prepend=-1))]] = True
    return best
