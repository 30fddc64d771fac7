"""Ids of records: each once, and where others stand among them.

NumPy's ``unique``, ``isin`` and ``setdiff1d`` import ``numpy.ma``, which takes 10 ms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ids = NDArray[np.int64]

_WIDEST = 1 << 22
"""A table of more ids than this would not be faster than a search."""


def distinct(ids: Ids) -> Ids:
    """(D,) the ids, ascending, each once."""
    ascending = np.sort(ids)
    first = np.ones(len(ascending), np.bool_)
    np.not_equal(ascending[1:], ascending[:-1], out=first[1:])
    return ascending[first]


def places(ids: Ids, known: ArrayLike) -> tuple[Ids, NDArray[np.bool_]]:
    """(N,) the place among ``known``, (K,) ids, of each id, and (N,) whether it is among them."""
    known_ids = np.asarray(known, np.int64)
    if not len(known_ids):
        return np.zeros(len(ids), np.int64), np.zeros(len(ids), np.bool_)
    low, high = int(known_ids.min()), int(known_ids.max())
    if high - low < _WIDEST:
        return _looked_up(ids, known_ids, low, high)
    order = np.argsort(known_ids, kind="stable")
    ascending = known_ids[order]
    nearest = np.minimum(np.searchsorted(ascending, ids), len(ascending) - 1)
    return order[nearest], ascending[nearest] == ids


def among(ids: Ids, known: ArrayLike) -> NDArray[np.bool_]:
    """(N,) whether each id is among ``known``."""
    return places(ids, known)[1]


def _looked_up(ids: Ids, known: Ids, low: int, high: int) -> tuple[Ids, NDArray[np.bool_]]:
    """As ``places``, by a table of all ids from the lowest known to the highest."""
    outside = high - low + 1
    table = np.full(outside + 1, -1, np.int64)
    table[known - low] = np.arange(len(known))
    # An id below the lowest becomes a huge number, since these have no sign.
    above = ids.astype(np.uint64) - np.uint64(low % 2**64)
    np.minimum(above, np.uint64(outside), out=above)
    found_at = table.take(above.view(np.int64))
    found = found_at >= 0
    return (found_at if found.all() else np.maximum(found_at, 0)), found
