"""LVIS's truth: which truths count, and which categories each image was searched for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import is_present, lists_to_numpy, to_numpy
from benchsuite_kernels.columns.federated_detections import LookedFor

_Keys = NDArray[np.int64]


def has_area(areas: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N,) whether the ``lvis`` package sees a row at all: those without an area it passes over."""
    return np.asarray((areas > 0) & (areas < np.inf), np.bool_)


def looked_for(
    images: pa.Table, truth_groups: _Keys, image_ids: _Keys, category_ids: _Keys
) -> LookedFor:
    """What the images were searched for: the categories of their truths and their negative ones.

    Args:
        images: ``schemas.TRUTH_IMAGES``. An image without a list of negative categories was
            searched for all of them.
        truth_groups: (G,), of each truth that counts the place of its category times I plus that of
            its image.
        image_ids, category_ids: those evaluated, ascending; all images are rows of ``images``.
    """
    n_images, n_categories = max(len(image_ids), 1), max(len(category_ids), 1)
    image_places, evaluated = places(to_numpy(images["image_id"]), image_ids)

    def listed_by(column: str) -> _Keys:
        """Those a column lists, as the place of the image times K plus that of the category."""
        ids, offsets = lists_to_numpy(images[column])
        lengths = np.diff(offsets)
        of_image, counted = np.repeat(image_places, lengths), np.repeat(evaluated, lengths)
        category_places, known = places(ids, category_ids)
        return (of_image * n_categories + category_places)[counted & known]

    categories, of_truths = np.divmod(truth_groups, n_images)
    found = of_truths * n_categories + categories
    missing = _distinct(listed_by("not_exhaustive_category_ids"))
    everything = np.zeros(len(image_ids), np.bool_)
    everything[image_places[~is_present(images["negative_category_ids"]) & evaluated]] = True
    # Of the categories that are not annotated exhaustively only those matter that were looked for.
    relevant = missing[everything[missing // n_categories]]
    keys = _distinct(np.concatenate([found, listed_by("negative_category_ids"), relevant]))
    of_image, listed = np.divmod(keys, n_categories)
    counts = np.bincount(of_image, minlength=len(image_ids))
    return LookedFor(
        image_ids=image_ids,
        category_ids=category_ids,
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        listed=listed,
        exhaustive=~places(keys, missing)[1],
        everything=everything,
    )


def places(ids: _Keys, known: _Keys) -> tuple[_Keys, NDArray[np.bool_]]:
    """Each id's place among ascending ones (0 where it is none of them), and whether it is one."""
    if not len(known):
        return np.zeros(len(ids), np.int64), np.zeros(len(ids), np.bool_)
    found = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    there = known[found] == ids
    return np.where(there, found, 0), there


def _distinct(keys: _Keys) -> _Keys:
    """Each once, ascending."""
    ascending = np.sort(keys)
    return ascending[np.diff(ascending, prepend=-1) > 0]
