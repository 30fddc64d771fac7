"""The order of a match table's rows in NumPy: what the C++ kernel is held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from benchsuite_kernels.columns.match_order import MatchRows

_Rows = NDArray[np.int64]


def match_order(
    rows: MatchRows, category_ids: NDArray[np.int64]
) -> tuple[_Rows, _Rows, _Rows, _Rows]:
    """Starts and rows of the detections, then of the truths."""
    unknown = np.flatnonzero(~np.isin(rows.categories, category_ids))
    if len(unknown):
        raise ValueError(
            f"row {unknown[0]} is of category {rows.categories[unknown[0]]}, which is not evaluated"
        )
    places = np.searchsorted(category_ids, rows.categories)
    edges = np.arange(len(category_ids) + 1)

    detections = np.flatnonzero(~rows.is_truth)
    keys = (rows.ranks, rows.images, -rows.scores, places)
    detections = detections[np.lexsort([key[detections] for key in keys])]
    truths = np.flatnonzero(rows.is_truth)
    truths = truths[np.lexsort([key[truths] for key in (rows.images, places)])]
    return (
        np.searchsorted(places[detections], edges),
        detections,
        np.searchsorted(places[truths], edges),
        truths,
    )
