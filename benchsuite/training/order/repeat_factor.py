"""Images of rare categories several times an epoch.

Gupta, Dollár, Girshick, LVIS: A Dataset for Large Vocabulary Instance Segmentation, 2019. Whole
parts of the factors hold in every epoch, fractions are drawn anew for each, as in Detectron2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchsuite.training.order.random_keys import Purpose, random_order, random_shares


def repeat_factors(
    images: NDArray[np.int64], labels: NDArray[np.int64], count: int, threshold: float
) -> NDArray[np.float64]:
    """How often each image shall come in an epoch on the average.

    A category that a share f of the images has is repeated ``max(1, sqrt(threshold / f))`` times;
    an image as often as the rarest of its categories. An image without any comes once.

    Args:
        images, labels: (P,) each: which labels occur in which images, each pair once.
        count: images.
        threshold: the share below which a category is rare.

    Returns:
        (count,) float64, at least 1.
    """
    shares = np.bincount(labels) / count
    with np.errstate(divide="ignore"):
        of_labels = np.maximum(1.0, np.sqrt(threshold / shares))
    factors = np.ones(count)
    np.maximum.at(factors, images, of_labels[labels])
    return factors


class RepeatedEpochs:
    """Every image as often as its factor says.

    Args:
        factors: (I,), at least 1 each, I at least 1.
        seed: of the order and of the fractions.
    """

    def __init__(self, factors: NDArray[np.float64], seed: int) -> None:
        self._whole = np.floor(factors).astype(np.int64)
        self._fraction = factors - self._whole
        self._seed = seed

    def repeats(self, epoch: int) -> NDArray[np.int64]:
        """See ``epochs.Epochs``."""
        drawn = random_shares(len(self._whole), Purpose.REPEATS, self._seed, epoch)
        return self._whole + (drawn < self._fraction)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """See ``epochs.Epochs``."""
        several = np.repeat(np.arange(len(self._whole)), self.repeats(epoch))
        return several[random_order(len(several), Purpose.ORDER, self._seed, epoch)]
