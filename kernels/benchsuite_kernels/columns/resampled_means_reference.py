"""Means under many weightings in NumPy, one after the other: what the kernel is held against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns import precision_recall_reference

if TYPE_CHECKING:
    from benchsuite_kernels.columns.match_order import MatchOrder, MatchRows
    from benchsuite_kernels.columns.precision_recall import CurveAxes
    from benchsuite_kernels.columns.resampled_means import CurveMean

_Floats = NDArray[np.float64]

SUMMATION_BLOCK = 8192
"""Values that are summed in one go."""


def resampled_means(
    rows: MatchRows,
    order: MatchOrder,
    axes: CurveAxes,
    means: Sequence[CurveMean],
    images: NDArray[np.int64],
    weights: _Floats,
) -> _Floats:
    """(R, V) means."""
    from benchsuite_kernels.columns.precision_recall import ImageWeights

    found = np.empty((len(weights), len(means)))
    for replicate, of_images in enumerate(weights):
        precision, recall, _ = precision_recall_reference.precision_recall(
            rows, order, axes, ImageWeights(images, of_images)
        )
        for v, mean in enumerate(means):
            values = recall if mean.of_recall else precision
            if mean.threshold is not None:
                values = values[[mean.threshold]]
            values = values[..., mean.area, mean.number]
            if mean.categories is not None:
                values = values[..., mean.categories]
            found[replicate, v] = block_mean(values[values > -1])
    return found


def block_mean(values: _Floats) -> float:
    """The mean of (N,), added in blocks; -1 of none."""
    if not len(values):
        return -1.0
    total = 0.0
    for first in range(0, len(values), SUMMATION_BLOCK):
        # Not sum(): Python's compensates for rounding since 3.12.
        total += float(np.add.reduce(values[first : first + SUMMATION_BLOCK]))
    return total / len(values)
