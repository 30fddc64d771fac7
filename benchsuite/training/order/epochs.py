"""Streams of whole epochs: every image of a training set in each, in a new order."""

from __future__ import annotations

from bisect import bisect_right
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchsuite.training.order.random_keys import Purpose, random_order


class Epochs(Protocol):
    """What each epoch of a training set of I images holds."""

    def repeats(self, epoch: int) -> NDArray[np.int64]:
        """(I,) int64: how often each image stands in it."""

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The images of it, in the order they come."""


class ShuffledEpochs:
    """Every image once an epoch.

    Args:
        count: images, at least one.
        seed: of the order.
    """

    def __init__(self, count: int, seed: int) -> None:
        self._once, self._seed = np.ones(count, np.int64), seed

    def repeats(self, epoch: int) -> NDArray[np.int64]:
        return self._once

    def order(self, epoch: int) -> NDArray[np.int64]:
        return random_order(len(self._once), Purpose.ORDER, self._seed, epoch)


class WholeSteps:
    """The same epochs, each without what does not fill a step at its end.

    Args:
        epochs: as many images in each.
        images: a step, at most as many.
    """

    def __init__(self, epochs: ShuffledEpochs, images: int) -> None:
        self._epochs, self._images = epochs, images

    def repeats(self, epoch: int) -> NDArray[np.int64]:
        return np.bincount(self.order(epoch), minlength=len(self._epochs.repeats(epoch)))

    def order(self, epoch: int) -> NDArray[np.int64]:
        order = self._epochs.order(epoch)
        return order[: len(order) // self._images * self._images]


class EpochStream:
    """One epoch after the other.

    An epoch's order is made when a position in it is asked for, and kept until one of another is;
    of those before it no more than their lengths.
    """

    def __init__(self, epochs: Epochs) -> None:
        self._epochs = epochs
        self._ends = [0]
        self._latest: tuple[int, NDArray[np.int64]] = (-1, np.zeros(0, np.int64))

    def indices(self, start: int, stop: int) -> NDArray[np.int64]:
        """See ``draws.Stream``."""
        parts = [np.zeros(0, np.int64)]
        while start < stop:
            epoch = self._epoch_at(start)
            first, end = self._ends[epoch], min(self._ends[epoch + 1], stop)
            parts.append(self._order(epoch)[start - first : end - first])
            start = end
        return np.concatenate(parts)

    def _epoch_at(self, position: int) -> int:
        while self._ends[-1] <= position:
            size = int(self._epochs.repeats(len(self._ends) - 1).sum())
            self._ends.append(self._ends[-1] + size)
        return bisect_right(self._ends, position) - 1

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if self._latest[0] != epoch:
            self._latest = epoch, self._epochs.order(epoch)
        return self._latest[1]
