"""Precision and recall of ``COCOeval``'s matches, or of entries of ``evalImgs``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.coco.image_evaluation import Entry
from benchsuite.coco.params import Params
from benchsuite.errors import UsageError
from benchsuite_kernels.columns.match_order import MatchRows, match_order
from benchsuite_kernels.columns.precision_recall import CurveAxes, precision_recall
from benchsuite_kernels.threads import evaluation_threads

MOST_THRESHOLDS = 64
"""IoU thresholds that fit the bits of a match."""


@dataclass(frozen=True, slots=True)
class Curves:
    """What ``COCOeval.eval`` holds; -1 where there is no truth to find.

    Attributes:
        precision: (T, R, K, A, M).
        recall: (T, K, A, M).
        scores: (T, R, K, A, M).
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    scores: NDArray[np.float64]

    @classmethod
    def empty(cls, params: Params, categories: int) -> Curves:
        """As if nothing had been evaluated."""
        shape = (categories, len(params.areaRng), len(params.maxDets))
        thresholds, recalls = len(params.iouThrs), len(params.recThrs)
        return cls(
            -np.ones((thresholds, recalls, *shape)),
            -np.ones((thresholds, *shape)),
            -np.ones((thresholds, recalls, *shape)),
        )

    def put(self, part: Any, thresholds: slice, areas: slice) -> None:
        """Takes over curves of some thresholds, of the first K categories and M numbers, and of
        some area ranges."""
        _, _, categories, _, mosts = part.precision.shape
        chosen = (slice(categories), areas, slice(mosts))
        self.precision[(thresholds, slice(None), *chosen)] = part.precision
        self.recall[(thresholds, *chosen)] = part.recall
        self.scores[(thresholds, slice(None), *chosen)] = part.scores


def curves_of_rows(
    chunks: Sequence[tuple[int, MatchRows]], params: Params, categories: int
) -> Curves:
    """The curves of matches.

    Args:
        chunks: the number of IoU thresholds and the matches at them; images and categories are
            counted from 0.
    """
    curves = Curves.empty(params, categories)
    first = 0
    for count, rows in chunks:
        part = _curves(rows, count, params.recThrs, params.maxDets, categories)
        curves.put(part, slice(first, first + count), slice(None))
        first += count
    return curves


def curves_of_entries(
    entries: Sequence[Entry | None], evaluated: Params, params: Params, categories: int
) -> Curves:
    """The curves of entries as they stand in ``evalImgs``.

    As in pycocotools, images, categories and area ranges of ``params`` that were not evaluated are
    left out, and the rest is looked up by its place in ``params``.

    Args:
        entries: by category, area range and image of ``evaluated``.

    Raises:
        UsageError: ``params`` asks for more than there is.
    """
    curves = Curves.empty(params, categories)
    evaluated_categories = evaluated.catIds if evaluated.useCats else [-1]
    known = {tuple(area) for area in evaluated.areaRng}
    k_list = _places(params.catIds, set(evaluated_categories))
    a_list = [place for place, area in enumerate(params.areaRng) if tuple(area) in known]
    i_list = _places(params.imgIds, set(evaluated.imgIds))
    mosts = [most for most in params.maxDets if most in set(evaluated.maxDets)]
    images, areas = len(evaluated.imgIds), len(evaluated.areaRng)
    for a, area in enumerate(a_list):
        try:
            of_category = [
                [entries[(category * areas + area) * images + image] for image in i_list]
                for category in k_list
            ]
        except IndexError:
            raise UsageError(
                "accumulate() was given images, categories or area ranges that evaluate() was not"
            ) from None
        _put_entries(of_category, curves, params, mosts, slice(a, a + 1))
    return curves


def _places(wanted: Sequence[Any], known: set[Any]) -> list[int]:
    return [place for place, one in enumerate(wanted) if one in known]


def _put_entries(
    of_category: Sequence[Sequence[Entry | None]],
    curves: Curves,
    params: Params,
    mosts: Sequence[int],
    area: slice,
) -> None:
    """Puts the curves of one area range, entries by category and image."""
    placed = [
        (category, image, entry)
        for category, of_images in enumerate(of_category)
        for image, entry in enumerate(of_images)
        if entry is not None
    ]
    if not placed or not mosts:
        return
    categories, images, entries = zip(*placed)
    thresholds = len(entries[0]["dtMatches"])
    if thresholds > len(params.iouThrs):
        raise UsageError(
            f"accumulate() was given {len(params.iouThrs)} IoU thresholds, but evaluate() "
            f"{thresholds}"
        )
    sides = []
    for field in ("dtScores", "gtIgnore"):
        counts = [len(entry[field]) for entry in entries]
        sides.append((np.repeat(images, counts), np.repeat(categories, counts), counts))
    (_, _, found), (_, _, wanted) = sides
    is_truth = np.repeat([False, True], [sum(found), sum(wanted)])
    ranks = np.concatenate([np.arange(count) for count in [*found, *wanted]])
    scores = np.zeros(len(is_truth))
    scores[~is_truth] = np.concatenate([entry["dtScores"] for entry in entries])
    matched, ignored = (
        np.concatenate([entry[field] for entry in entries], axis=1) != 0
        for field in ("dtMatches", "dtIgnore")
    )
    truth_ignored = np.concatenate([entry["gtIgnore"] for entry in entries]) != 0
    for first in range(0, thresholds, MOST_THRESHOLDS):
        chunk = slice(first, min(first + MOST_THRESHOLDS, thresholds))
        count = chunk.stop - chunk.start
        ignored_truth = np.broadcast_to(truth_ignored, (count, len(truth_ignored)))
        rows = MatchRows(
            images=np.concatenate([side[0] for side in sides]).astype(np.int64),
            categories=np.concatenate([side[1] for side in sides]).astype(np.int64),
            is_truth=is_truth,
            ranks=ranks.astype(np.int32),
            scores=scores,
            matched=[_bits(np.hstack([matched[chunk], np.zeros_like(ignored_truth)]))],
            ignored=[_bits(np.hstack([ignored[chunk], ignored_truth]))],
        )
        part = _curves(rows, count, params.recThrs, mosts, len(of_category))
        curves.put(part, chunk, area)


def _curves(
    rows: MatchRows, thresholds: int, recalls: Any, mosts: Sequence[int], categories: int
) -> Any:
    threads = evaluation_threads()
    order = match_order(rows, np.arange(categories), threads=threads)
    axes = CurveAxes(thresholds, np.asarray(recalls, np.float64), tuple(mosts))
    return precision_recall(rows, order, axes, threads=threads)


def _bits(flags: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """(T, N) bool as (N,) numbers, bit ``t`` being flag ``t``."""
    powers = np.uint64(1) << np.arange(len(flags), dtype=np.uint64)
    bits: NDArray[np.uint64] = powers @ flags
    return bits
