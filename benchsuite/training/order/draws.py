"""The stream of training images: what stands at a position, from the seed and the position alone.

All processes see one stream and take their share of it; a training that goes on after an
interruption takes it up at a position. So nothing of a stream is ever saved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchsuite.training.order.random_keys import Purpose, random_seed


class Stream(Protocol):
    """Images without end, by position."""

    def indices(self, start: int, stop: int) -> NDArray[np.int64]:
        """(stop - start,) int64: which examples of the training set stand at these positions."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What the stream holds at a position.

    Attributes:
        position: from 0.
        index: of the training set's example.
        seed: of all that is random about this draw of it, 0 to 2^63 - 1.
    """

    position: int
    index: int
    seed: int


@dataclass(frozen=True, slots=True)
class MicroBatchDraws:
    """The draws of one micro-batch.

    Attributes:
        step: which step of the training it belongs to.
        number: which of that step's micro-batches it is, counted over all processes.
        draws: at least one.
        seed: of all that is random about the batch as a whole, 0 to 2^63 - 1.
    """

    step: int
    number: int
    draws: tuple[Draw, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Share:
    """Which micro-batches of each step a process takes: ``rank``, ``rank + world_size``, …

    Attributes:
        size: images a micro-batch.
        accumulate: micro-batches a process and step.
        rank: which process this is.
        world_size: how many there are.
    """

    size: int
    accumulate: int = 1
    rank: int = 0
    world_size: int = 1

    def numbers(self) -> range:
        """This process's of a step's micro-batches."""
        return range(self.rank, self.accumulate * self.world_size, self.world_size)

    def draws(self, stream: Stream, seed: int, step: int, number: int) -> MicroBatchDraws:
        """A micro-batch of a step."""
        batch = step * self.accumulate * self.world_size + number
        first = batch * self.size
        indices = stream.indices(first, first + self.size).tolist()
        return MicroBatchDraws(
            step,
            number,
            tuple(
                Draw(position, index, random_seed(Purpose.IMAGE, seed, position))
                for position, index in enumerate(indices, start=first)
            ),
            random_seed(Purpose.MICRO_BATCH, seed, batch),
        )
