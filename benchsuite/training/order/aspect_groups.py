"""Batches of images of one orientation, which waste little when they are padded together.

As Detectron2 groups them: images wait, the wide with the wide and the others with the others, until
there are enough for a batch. Here the groups are of the stream that all processes share.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from benchsuite.training.order.epochs import Epochs


class GroupedStream:
    """Epochs one after the other, in batches of images of one group.

    A batch comes when its last image does. What is left at an epoch's end goes into the next one's
    first batches.

    Args:
        epochs: of I images.
        groups: (I,) int64, from 0: the group of each.
        size: images a batch.
    """

    def __init__(self, epochs: Epochs, groups: NDArray[np.int64], size: int) -> None:
        self._epochs, self._groups, self._size = epochs, groups, size
        self._count = int(groups.max()) + 1
        self._before = [np.zeros(self._count, np.int64)]
        self._batches_before = [0]
        self._latest: tuple[int, NDArray[np.int64]] = (-1, np.zeros((0, size), np.int64))

    def indices(self, start: int, stop: int) -> NDArray[np.int64]:
        """See ``draws.Stream``."""
        batch, last = start // self._size, -(-stop // self._size)
        parts = [np.zeros(0, np.int64)]
        first = batch
        while batch < last:
            epoch = self._epoch_of(batch)
            begin, end = self._batches_before[epoch], min(self._batches_before[epoch + 1], last)
            parts.append(self._batches(epoch)[batch - begin : end - begin].reshape(-1))
            batch = end
        return np.concatenate(parts)[start - first * self._size : stop - first * self._size]

    def _epoch_of(self, batch: int) -> int:
        """The epoch in which a batch comes."""
        while self._batches_before[-1] <= batch:
            repeats = self._epochs.repeats(len(self._before) - 1)
            of_epoch = np.bincount(self._groups, repeats, self._count).astype(np.int64)
            self._before.append(self._before[-1] + of_epoch)
            self._batches_before.append(int((self._before[-1] // self._size).sum()))
        return bisect_right(self._batches_before, batch) - 1

    def _batches(self, epoch: int) -> NDArray[np.int64]:
        """(B, size) images: the batches that come in an epoch, in order."""
        if self._latest[0] == epoch:
            return self._latest[1]
        order = self._epochs.order(epoch)
        groups = self._groups[order]
        batches, ends = [], []
        for group in range(self._count):
            places = np.flatnonzero(groups == group)
            waiting = self._waiting(group, epoch)
            images = np.concatenate([waiting, order[places]])
            full = len(images) // self._size
            batches.append(images[: full * self._size].reshape(full, self._size))
            # A batch comes with its last image, which is none of those that waited.
            lasts = np.arange(1, full + 1) * self._size - 1 - len(waiting)
            ends.append(places[lasts])
        in_order = np.argsort(np.concatenate(ends))
        self._latest = epoch, np.concatenate(batches)[in_order]
        return self._latest[1]

    def _waiting(self, group: int, epoch: int) -> NDArray[np.int64]:
        """The images of a group that are in no batch when an epoch begins, oldest first."""
        wanted = int(self._before[epoch][group] % self._size)
        found: list[NDArray[np.int64]] = []
        while wanted:
            epoch -= 1
            if self._before[epoch + 1][group] == self._before[epoch][group]:
                continue
            order = self._epochs.order(epoch)
            of_group = order[self._groups[order] == group][-wanted:]
            found.insert(0, of_group)
            wanted -= len(of_group)
        return np.concatenate([np.zeros(0, np.int64), *found])


def orientations(widths: NDArray[np.int64], heights: NDArray[np.int64]) -> NDArray[np.int64]:
    """(I,) int64: 0 where an image is wider than it is high, else 1."""
    return np.where(widths > heights, 0, 1)
