"""The order in which the rows of a match table are counted.

A match table has a row for each detection that counts and one for each truth, in any order: tables
of different images are simply concatenated. Whatever is computed of it depends on the columns
alone, because rows are first brought into one order, which is COCO's: images by ascending id, and a
stable sort by descending score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.dispatch import native, tally


class MatchRows(NamedTuple):
    """A match table's rows as arrays.

    Attributes:
        images, categories: (N,) int64, ids.
        is_truth: (N,) bool.
        ranks: (N,) int32, a detection's place by descending score in its image and category, from
            0; of no meaning for a truth.
        scores: (N,) float64; of no meaning for a truth.
        matched, ignored: for each of A area ranges, (N,) of one unsigned dtype; bit ``t`` stands
            for IoU threshold ``t``.
    """

    images: NDArray[np.int64]
    categories: NDArray[np.int64]
    is_truth: NDArray[np.bool_]
    ranks: NDArray[np.int32]
    scores: NDArray[np.float64]
    matched: Sequence[NDArray[np.unsignedinteger[Any]]]
    ignored: Sequence[NDArray[np.unsignedinteger[Any]]]


class MatchOrder(NamedTuple):
    """Places of rows, those of a category together.

    Attributes:
        detection_starts, truth_starts: (K + 1,) int64, where each category begins below.
        detections: (D,) int64, rows that are detections: within a category by descending score (NaN
            last), then image, then rank.
        truths: (G,) int64, rows that are truths: within a category by image.
    """

    detection_starts: NDArray[np.int64]
    detections: NDArray[np.int64]
    truth_starts: NDArray[np.int64]
    truths: NDArray[np.int64]


def match_order(rows: MatchRows, category_ids: NDArray[np.int64], *, threads: int) -> MatchOrder:
    """The order of a match table's rows.

    Args:
        rows: N rows, in any order.
        category_ids: (K,), ascending, each once.
        threads: how many may be used; the result does not depend on it.

    Raises:
        ValueError: a row's category is not among ``category_ids``, or these do not ascend.
    """
    if np.any(category_ids[1:] <= category_ids[:-1]):
        raise ValueError("category_ids do not ascend")
    extension = native()
    if extension is None:
        from benchsuite_kernels.columns import match_order_reference

        tally("match_order", "reference")
        found = match_order_reference.match_order(rows, category_ids)
    else:
        tally("match_order", "c++")
        found = extension.match_order(
            np.ascontiguousarray(rows.images),
            np.ascontiguousarray(rows.categories),
            np.ascontiguousarray(rows.is_truth),
            np.ascontiguousarray(rows.ranks),
            np.ascontiguousarray(rows.scores),
            np.ascontiguousarray(category_ids),
            threads,
        )
    return MatchOrder(*found)
