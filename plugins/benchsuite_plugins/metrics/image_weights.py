"""Counting images more or less than once: the weights of a match table's rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from benchsuite.errors import ContractError

_Rows = NDArray[np.int64]


def row_weights(
    images: NDArray[np.int64], image_weights: Mapping[int, float] | None
) -> NDArray[np.float64]:
    """(N,) the weight of each row's image: 1 without weights, 0 for an image that is not named.

    Raises:
        ContractError: a weight is negative or not finite.
    """
    if image_weights is None:
        return np.ones(len(images))
    ids = np.array(list(image_weights), np.int64)
    weights = np.array(list(image_weights.values()), np.float64)
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise ContractError(
            f"the weight of image {ids[wrong[0]]} is {weights[wrong[0]]}; a weight is a finite"
            " number, not negative"
        )
    order = np.argsort(ids)
    ids, weights = np.append(ids[order], 0), np.append(weights[order], 0.0)
    places = np.searchsorted(ids[:-1], images)
    return np.where(ids[places] == images, weights[places], 0.0)


def repeated_ties(
    rows: _Rows, keys: tuple[NDArray[np.generic], ...], weights: NDArray[np.float64]
) -> tuple[_Rows, NDArray[np.float64]]:
    """Repeats stretches of tied rows as an image that stands several times would.

    A row of weight w counts as w equal rows in succession. For rows that share category, score and
    image that is the wrong succession: two such rows a and b of an image that stands twice are
    counted a b a b, not a a b b. So they are repeated here, where their weight is a whole number.

    Args:
        rows: (N,) places of rows, in counting order.
        keys: columns, by place, of which rows that are tied have the same.
        weights: column of weights, by place.

    Returns:
        The places, some repeated, and the weight of each.
    """
    own = weights[rows]
    if not len(rows):
        return rows, own
    begins = np.ones(len(rows), np.bool_)
    begins[1:] = np.any([key[rows][1:] != key[rows][:-1] for key in keys], axis=0)
    starts = np.flatnonzero(begins)
    lengths = np.diff(np.append(starts, len(rows)))
    repeats = np.where((lengths > 1) & (own[starts] % 1 == 0), own[starts], 1).astype(np.int64)
    sizes = lengths * repeats
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    places = np.repeat(starts, sizes) + within % np.repeat(lengths, sizes)
    return rows[places], own[places] / np.repeat(repeats, sizes)
