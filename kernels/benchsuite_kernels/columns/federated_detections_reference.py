"""Choosing detections in NumPy: what the C++ kernel is held against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def federated_detections(
    detection_images: Rows,
    detection_categories: Rows,
    scores: NDArray[np.float64],
    image_ids: Rows,
    category_ids: Rows,
    starts: Rows,
    listed: Rows,
    exhaustive: NDArray[np.bool_],
    everything: NDArray[np.bool_],
    most: int,
) -> tuple[Rows, Rows, NDArray[np.bool_], int, int]:
    """See ``federated_detections.federated_detections``."""
    images, known_image = _places(detection_images, image_ids)
    categories, known_category = _places(detection_categories, category_ids)
    counted = known_image & known_category & _best(images, known_image, scores, most)

    rows = np.flatnonzero(counted)
    groups = categories[rows] * len(image_ids) + images[rows]
    # A number for each image and category, which ascends as the list does.
    listed_images = np.repeat(np.arange(len(image_ids)), np.diff(starts))
    keys = listed_images * len(category_ids) + listed
    places, is_listed = _places(images[rows] * len(category_ids) + categories[rows], keys)
    kept = is_listed | everything[images[rows]]
    not_exhaustive = np.zeros(len(rows), np.bool_)
    not_exhaustive[is_listed] = ~exhaustive[places[is_listed]]
    return (
        rows[kept],
        groups[kept],
        not_exhaustive[kept],
        _first(~known_image),
        _first(~known_category),
    )


def _places(ids: Rows, known: Rows) -> tuple[Rows, NDArray[np.bool_]]:
    """Each id's place among ascending ones (0 where it is none of them), and whether it is one."""
    if not len(known):
        return np.zeros(len(ids), np.int64), np.zeros(len(ids), np.bool_)
    places = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    found = known[places] == ids
    return np.where(found, places, 0), found


def _best(
    images: Rows, known: NDArray[np.bool_], scores: NDArray[np.float64], most: int
) -> NDArray[np.bool_]:
    """(N,) whether a row is among the best ``most`` of its image."""
    best = np.ones(len(images), np.bool_)
    counts = np.bincount(images[known])
    crowded = np.flatnonzero(known & (counts > most)[images]) if len(counts) else np.zeros(0, int)
    crowded = crowded[np.argsort(images[crowded], kind="stable")]
    values = scores.tolist()
    for rows in np.split(crowded, np.flatnonzero(np.diff(images[crowded])) + 1):
        # Python's sort, because of what it makes of NaN.
        ordered = sorted(rows.tolist(), key=values.__getitem__, reverse=True)
        best[ordered[most:]] = False
    return best


def _first(flags: NDArray[np.bool_]) -> int:
    return int(flags.argmax()) if flags.any() else -1
