"""All entries of ``evalImgs`` at once, from the matches of a whole evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.coco.image_evaluation import Entry
from benchsuite.coco.matching import Matching
from benchsuite.coco.rows import Rows
from benchsuite_kernels.columns.match_arrays import Matches


@dataclass(frozen=True, slots=True)
class _Taken:
    """Who takes whom at all T thresholds, in A area ranges.

    Attributes:
        order: (D,), rows of detections, by ascending group, then descending score.
        takes: (A, T, D), rows of truths or -1.
        ignored: (A, T, D) bool, of detections.
        truth_ignored: (A, G) bool.
    """

    order: NDArray[np.int64]
    takes: NDArray[np.int32]
    ignored: NDArray[np.bool_]
    truth_ignored: NDArray[np.bool_]

    @classmethod
    def of(cls, chunks: Sequence[tuple[int, Matches]]) -> _Taken:
        first = chunks[0][1]
        return cls(
            first.order,
            np.concatenate([matches.takes for _, matches in chunks], axis=1),
            np.concatenate([_unpacked(each.ignored, count) for count, each in chunks], axis=1),
            first.truth_ignored != 0,
        )


def all_entries(matching: Matching) -> list[Entry | None]:
    """The entries by category, area range and image: see ``image_evaluation.image_entry``.

    ``None`` stands where there is neither truth nor detection.
    """
    params = matching.params
    images, areas = len(params.imgIds), len(params.areaRng)
    categories = params.catIds if params.useCats else [-1]
    entries: list[Entry | None] = [None] * (images * areas * len(categories))
    chunks = matching.matches(which=True)
    if not entries or not chunks:
        return entries
    taken = _Taken.of(chunks)
    detections, truths = matching.detections, matching.truths
    detection_groups = detections.groups(params)[taken.order]
    truth_groups = truths.groups(params)
    groups = np.union1d(detections.groups(params), truth_groups)
    of_detections = _bounds(detection_groups, groups)
    found = detections.rows.take(taken.order)
    detection_ids, scores = (found.values(field) for field in ("id", "score"))
    for area in range(areas):
        # The ignored come last in each group.
        order = np.lexsort((taken.truth_ignored[area], truth_groups))
        of_truths = _bounds(truth_groups[order], groups)
        wanted = truths.rows.take(order)
        truth_ids = wanted.values("id")
        detection_matches, truth_matches = _matched_ids(found, wanted, order, taken.takes[area])
        truth_ignored = taken.truth_ignored[area, order].astype(np.int64)
        for group, (d, e), (g, h) in zip(groups.tolist(), of_detections, of_truths):
            category, image = divmod(group, images)
            entries[(category * areas + area) * images + image] = {
                "image_id": params.imgIds[image],
                "category_id": categories[category],
                "aRng": params.areaRng[area],
                "maxDet": params.maxDets[-1],
                "dtIds": detection_ids[d:e],
                "gtIds": truth_ids[g:h],
                "dtMatches": detection_matches[:, d:e],
                "gtMatches": truth_matches[:, g:h],
                "dtScores": scores[d:e],
                "gtIgnore": truth_ignored[g:h] if h > g else np.array([]),
                "dtIgnore": taken.ignored[area, :, d:e],
            }
    return entries


def _bounds(ascending: NDArray[np.int64], groups: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Where each group's rows begin and end."""
    return list(
        zip(
            np.searchsorted(ascending, groups, side="left").tolist(),
            np.searchsorted(ascending, groups, side="right").tolist(),
        )
    )


def _matched_ids(
    detections: Rows,
    truths: Rows,
    order: NDArray[np.int64],
    takes: NDArray[np.int32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(T, D) the id of the truth that each detection takes and (T, G) the other way round, or 0.

    Args:
        order: the rows that the truths were taken from.
        takes: (T, D), rows of truths or -1.
    """
    place_of = np.empty(len(order) + 1, np.int64)
    place_of[order] = np.arange(len(order))
    place_of[-1] = len(order)
    places = place_of[takes]
    detection_ids, truth_ids = detections.numbers("id"), truths.numbers("id")
    by_detection = np.append(truth_ids, 0)[places]
    by_truth = np.zeros((len(takes), len(order)))
    # By detection, so that of several that take a crowd the last stays.
    which, thresholds = np.nonzero(takes.T >= 0)
    by_truth[thresholds, places[thresholds, which]] = detection_ids[which]
    return by_detection, by_truth


def _unpacked(bits: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """(A, D) numbers to (A, T, D) bool: bit ``t`` is flag ``t``."""
    shifts = np.arange(count, dtype=bits.dtype)[:, None]
    flags: NDArray[np.bool_] = (bits[:, None] >> shifts & bits.dtype.type(1)).astype(np.bool_)
    return flags
