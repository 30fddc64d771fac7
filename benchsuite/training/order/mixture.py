"""Several streams in one, each with a share of it."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from benchsuite.training.order.draws import Stream
from benchsuite.training.order.random_keys import Purpose, random_order

_LEAST_BLOCK = 64
_LEAST_OF_EACH = 2


class MixedStream:
    """Batches of several streams, each stream's as many as its weight says.

    Weights hold exactly, to one batch, in every block of batches; within a block the order is
    random. Which batch of its stream comes next is known without those before it.

    Args:
        streams: of the indices of the joined training set; at least one.
        weights: above 0, one a stream; only their ratios count.
        size: images a batch; a batch is of one stream.
        seed: of the order.
    """

    def __init__(
        self, streams: Sequence[Stream], weights: Sequence[float], size: int, seed: int
    ) -> None:
        self._streams, self._size, self._seed = tuple(streams), size, seed
        shares = np.array(weights, np.float64) / np.sum(weights)
        self._until = np.concatenate([[0.0], np.cumsum(shares)[:-1], [1.0]])
        self._block = max(_LEAST_BLOCK, ceil(_LEAST_OF_EACH / float(shares.min())))

    def indices(self, start: int, stop: int) -> NDArray[np.int64]:
        """See ``draws.Stream``."""
        parts = [np.zeros(0, np.int64)]
        while start < stop:
            batch, place = divmod(start, self._size)
            end = min(stop, (batch + 1) * self._size)
            stream, number = self._batch(batch)
            first = number * self._size + place
            parts.append(self._streams[stream].indices(first, first + end - start))
            start = end
        return np.concatenate(parts)

    def _batch(self, batch: int) -> tuple[int, int]:
        """Which stream a batch is of, and which of that stream's batches it is."""
        block, place = divmod(batch, self._block)
        before, after = self._counts(block), self._counts(block + 1)
        of_block = np.repeat(np.arange(len(self._streams)), after - before)
        order = of_block[random_order(self._block, Purpose.MIXTURE, self._seed, block)]
        stream = int(order[place])
        return stream, int(before[stream] + (order[:place] == stream).sum())

    def _counts(self, block: int) -> NDArray[np.int64]:
        """How many batches of each stream stand before a block: all together, ``block`` times its
        length. A block is so long that none of them falls from one to the next."""
        ends = np.floor(self._until * (block * self._block) + 0.5).astype(np.int64)
        return np.diff(ends)
