"""LVIS's truth: which truths count, and which categories each image was searched for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import is_present, lists_to_numpy
from benchsuite_kernels.columns.federated_detections import LookedFor
from benchsuite_plugins.metrics.scored_shapes import Side

_Keys = NDArray[np.int64]


def has_area(areas: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N,) whether the ``lvis`` package sees a row at all: those without an area it passes over."""
    return np.asarray((areas > 0) & (areas < np.inf), np.bool_)


def looked_for(
    images: pa.Table,
    truths: Side,
    image_ids: NDArray[np.int64],
    category_ids: NDArray[np.int64],
) -> LookedFor:
    """What the images were searched for: the categories of their truths and their negative ones.

    Args:
        images: ``schemas.TRUTH_IMAGES``. An image without a list of negative categories was
            searched for all of them.
        truths: those that count; all of images and categories that are named.
        image_ids, category_ids: those evaluated, ascending; all images are rows of ``images``.
    """
    keys = _Keyed(images, image_ids, category_ids)
    found = keys.of(truths.column("image_id"), truths.column("category_id"))
    negative = keys.listed("negative_category_ids")
    missing = keys.listed("not_exhaustive_category_ids")
    everything = np.zeros(len(image_ids), np.bool_)
    searched_for_all = ~is_present(images["negative_category_ids"])
    everything[keys.image_places[searched_for_all & keys.evaluated]] = True

    # Of the categories that are not annotated exhaustively only those matter that were looked for.
    relevant = missing[everything[missing // len(category_ids)]] if len(missing) else missing
    listed = np.unique(np.concatenate([found, negative, relevant]))
    counts = np.bincount(listed // max(len(category_ids), 1), minlength=len(image_ids))
    return LookedFor(
        image_ids=image_ids,
        category_ids=category_ids,
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        listed=listed % max(len(category_ids), 1),
        exhaustive=~np.isin(listed, missing),
        everything=everything,
    )


class _Keyed:
    """A number for each image and category: the image's place times K plus the category's."""

    def __init__(self, images: pa.Table, image_ids: _Keys, category_ids: _Keys) -> None:
        self._images, self._category_ids, self._image_ids = images, category_ids, image_ids
        ids: Any = Side.truths(images, "").column("image_id")
        self.image_places, self.evaluated = _places(ids, image_ids)

    def of(self, images: _Keys, categories: _Keys) -> _Keys:
        """(N,), those of images and categories that are not evaluated left out."""
        places, known = _places(images, self._image_ids)
        return self._keys(places, known, categories)

    def listed(self, column: str) -> _Keys:
        """Those that a column of lists names, image by image."""
        ids, offsets = lists_to_numpy(self._images[column])
        lengths = np.diff(offsets)
        places = np.repeat(self.image_places, lengths)
        return self._keys(places, np.repeat(self.evaluated, lengths), ids.astype(np.int64))

    def _keys(self, images: _Keys, counted: NDArray[np.bool_], categories: _Keys) -> _Keys:
        places, known = _places(categories, self._category_ids)
        keys = images * len(self._category_ids) + places
        return np.asarray(keys[counted & known], np.int64)


def _places(ids: _Keys, known: _Keys) -> tuple[_Keys, NDArray[np.bool_]]:
    """Each id's place among ascending ones (0 where it is none of them), and whether it is one."""
    if not len(known):
        return np.zeros(len(ids), np.int64), np.zeros(len(ids), np.bool_)
    places = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    found = known[places] == ids
    return np.where(found, places, 0), found
