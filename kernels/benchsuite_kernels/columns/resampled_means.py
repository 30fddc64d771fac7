"""Mean precisions and recalls of a match table under many weightings of its images.

The table is sorted through once; each weighting then costs a pass over its detections. The means
are to the bit those of the curves that ``precision_recall`` gives for the weighting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns.match_order import MatchOrder, MatchRows
from benchsuite_kernels.columns.precision_recall import CurveAxes
from benchsuite_kernels.dispatch import native, tally


@dataclass(frozen=True, slots=True)
class CurveMean:
    """A number that curves are summed up by, over the categories that have truths to find.

    Attributes:
        of_recall: the mean of the recalls of all detections; else of the precisions at all recalls.
        area: which area range, from 0.
        number: which of the numbers of detections, from 0.
        threshold: which IoU threshold, from 0; ``None``: the mean over all.
        categories: (K,) bool, those that count; ``None``: all.
    """

    of_recall: bool
    area: int
    number: int
    threshold: int | None = None
    categories: NDArray[np.bool_] | None = None


def resampled_means(
    rows: MatchRows,
    order: MatchOrder,
    axes: CurveAxes,
    means: Sequence[CurveMean],
    images: NDArray[np.int64],
    weights: NDArray[np.float64],
    *,
    threads: int,
) -> NDArray[np.float64]:
    """The means under each of several weightings.

    Values are added in the order that NumPy's ``mean`` had until version 2.2: by threshold, recall
    and category, pairwise within blocks of 8192.

    Args:
        rows: the table.
        order: ``match_order`` of it.
        axes: thresholds, recalls and numbers of detections.
        means: V of them.
        images: (I,) int64 ids, ascending, each once; an image not among them does not count.
        weights: (R, I) float64, finite, not negative.
        threads: how many may be used; the result does not depend on it.

    Returns:
        (R, V) float64, -1 where there is no truth to find.

    Raises:
        ValueError: arrays do not fit together, or a mean is of something that is not there.
    """
    extension = native()
    if extension is None:
        from benchsuite_kernels.columns import resampled_means_reference

        tally("resampled_means", "reference")
        return resampled_means_reference.resampled_means(rows, order, axes, means, images, weights)
    tally("resampled_means", "c++")
    found: NDArray[np.float64] = extension.resampled_means(
        np.ascontiguousarray(rows.images),
        np.ascontiguousarray(rows.is_truth),
        np.ascontiguousarray(rows.ranks),
        np.ascontiguousarray(rows.scores),
        [np.ascontiguousarray(bits) for bits in rows.matched],
        [np.ascontiguousarray(bits) for bits in rows.ignored],
        (order.detection_starts, order.detections, order.truth_starts, order.truths),
        axes.thresholds,
        axes.recalls,
        axes.max_detections,
        [
            (
                mean.of_recall,
                mean.area,
                mean.number,
                -1 if mean.threshold is None else mean.threshold,
                mean.categories,
            )
            for mean in means
        ],
        np.ascontiguousarray(images),
        np.ascontiguousarray(weights),
        threads,
    )
    return found
