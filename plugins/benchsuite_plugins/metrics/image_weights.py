"""Counting images more or less than once: weights by image id, as arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from benchsuite.errors import ContractError
from benchsuite_kernels.columns.precision_recall import ImageWeights


def weight_arrays(image_weights: Mapping[int, float]) -> ImageWeights:
    """Weights by image id, ids ascending.

    Raises:
        ContractError: a weight is negative or not finite.
    """
    ids = np.fromiter(image_weights.keys(), np.int64, len(image_weights))
    weights = np.fromiter(image_weights.values(), np.float64, len(image_weights))
    require_weights(ids, weights)
    order = np.argsort(ids)
    return ImageWeights(ids[order], weights[order])


def require_weights(images: NDArray[np.int64], weights: NDArray[np.float64]) -> None:
    """Raise ``ContractError`` if a weight is negative or not finite.

    Args:
        images: (I,) ids.
        weights: (I,) or (R, I).
    """
    wrong = np.argwhere(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise ContractError(
            f"the weight of image {images[wrong[0][-1]]} is {weights[tuple(wrong[0])]}; a weight"
            " is a finite number, not negative"
        )


def row_weights(
    images: NDArray[np.int64], image_weights: Mapping[int, float] | None
) -> NDArray[np.float64]:
    """(N,) the weight of each row's image: 1 without weights, 0 for an image that is not named.

    Raises:
        ContractError: a weight is negative or not finite.
    """
    if image_weights is None:
        return np.ones(len(images))
    weights = weight_arrays(image_weights)
    ids, values = np.append(weights.images, 0), np.append(weights.weights, 0.0)
    places = np.searchsorted(weights.images, images)
    return np.where(ids[places] == images, values[places], 0.0)


def image_columns(images: NDArray[np.int64], image_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) where each row's image is among ``image_ids``, in any order; -1: nowhere."""
    order = np.argsort(image_ids, kind="stable")
    ascending = image_ids[order]
    places = np.searchsorted(ascending, images)
    named = places < len(order)
    named[named] = ascending[places[named]] == images[named]
    return np.where(named, np.append(order, -1)[places], -1)
