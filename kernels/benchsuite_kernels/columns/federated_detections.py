"""Which detections count where images were searched for some categories alone, as in LVIS.

Of each image the best detections count, whatever their category; of these only such of categories
that the image was searched for. All is as in the ``lvis`` package (``LVISResults`` and
``LVISEval._prepare``). Gupta et al., LVIS: A Dataset for Large Vocabulary Instance Segmentation,
2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.dispatch import native, tally


@dataclass(frozen=True, slots=True)
class LookedFor:
    """What each image was searched for.

    Attributes:
        image_ids: (I,) int64, ascending, each once.
        category_ids: (K,) int64, ascending, each once: all categories that are evaluated.
        starts: (I + 1,) int64: image ``i`` was searched for ``listed[starts[i] : starts[i + 1]]``.
        listed: (E,) int64, places among ``category_ids``, ascending within an image, each once.
        exhaustive: (E,) bool, whether every object of the category is annotated in the image.
        everything: (I,) bool, whether an image was searched for those that are not listed, too.
    """

    image_ids: NDArray[np.int64]
    category_ids: NDArray[np.int64]
    starts: NDArray[np.int64]
    listed: NDArray[np.int64]
    exhaustive: NDArray[np.bool_]
    everything: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FederatedDetections:
    """The detections that count.

    Attributes:
        rows: (D,) int64, which they are, ascending.
        groups: (D,) int64, of each the place of its category times I plus that of its image.
        not_exhaustive: (D,) bool, whether objects of its category are missing from its image's
            annotations, so that one that matches nothing is no mistake.
        unknown_image: the first of all rows whose image is none of ``image_ids``; -1: there is
            none. Such rows do not count.
        unknown_category: the first of all rows whose category is none of ``category_ids``; -1:
            there is none. Such rows do not count, but take the place of others among the best.
    """

    rows: NDArray[np.int64]
    groups: NDArray[np.int64]
    not_exhaustive: NDArray[np.bool_]
    unknown_image: int
    unknown_category: int


def federated_detections(
    image_ids: NDArray[np.int64],
    category_ids: NDArray[np.int64],
    scores: NDArray[np.float64],
    looked_for: LookedFor,
    *,
    most: int,
    threads: int,
) -> FederatedDetections:
    """Choose the detections that count.

    Args:
        image_ids, category_ids: (N,) int64, rows in file order, which breaks ties.
        scores: (N,) float64. Where one of them is not a number (NaN), what is best is what Python's
            ``sorted`` leaves first.
        most: how many of an image count.
        threads: how many to use at most; the outcome does not depend on it.

    Raises:
        TypeError: an array is of another dtype or not contiguous.
        ValueError: an array is of another shape than the rest, or does not ascend.
    """
    extension = native()
    if extension is None or np.isnan(scores).any():
        from benchsuite_kernels.columns import federated_detections_reference

        tally("federated_detections", "reference")
        found = federated_detections_reference.federated_detections(
            image_ids,
            category_ids,
            scores,
            looked_for.image_ids,
            looked_for.category_ids,
            looked_for.starts,
            looked_for.listed,
            looked_for.exhaustive,
            looked_for.everything,
            most,
        )
    else:
        tally("federated_detections", "c++")
        found = extension.federated_detections(
            image_ids,
            category_ids,
            scores,
            looked_for.image_ids,
            looked_for.category_ids,
            looked_for.starts,
            looked_for.listed,
            looked_for.exhaustive,
            looked_for.everything,
            most,
            threads,
        )
    return FederatedDetections(*found)
