"""The numbers of groups in NumPy: what the C++ kernel is held against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Ids = NDArray[np.int64]


def match_groups(
    images: _Ids, categories: _Ids | None, image_ids: _Ids, category_ids: _Ids
) -> _Ids:
    """See ``match_groups.match_groups``."""
    groups, known = _places(images, image_ids)
    if categories is not None:
        category_places, known_category = _places(categories, category_ids)
        groups = category_places * len(image_ids) + groups
        known &= known_category
    return np.where(known, groups, -1)


def _places(ids: _Ids, known: _Ids) -> tuple[_Ids, NDArray[np.bool_]]:
    """Each id's place among those known, and whether it is one of them."""
    if not len(known):
        return np.zeros(len(ids), np.int64), np.zeros(len(ids), np.bool_)
    places = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return places, known[places] == ids
