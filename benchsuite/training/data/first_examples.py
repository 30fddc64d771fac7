"""The first examples of a training set: to try a training on a few."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchsuite.records import ImageRecord
from benchsuite.training.data.example import Example
from benchsuite.training.data.joined_sets import Examples


class FirstExamples:
    """The first examples of others; all of them, where there are no more.

    Args:
        count: at least one.
    """

    def __init__(self, examples: Examples, count: int) -> None:
        self._examples, self._count = examples, min(count, len(examples))

    def __len__(self) -> int:
        return self._count

    @property
    def widths(self) -> NDArray[np.int64]:
        return self._examples.widths[: self._count]

    @property
    def heights(self) -> NDArray[np.int64]:
        return self._examples.heights[: self._count]

    def image_labels(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        images, labels = self._examples.image_labels()
        kept = images < self._count
        return images[kept], labels[kept]

    def siblings(self, index: int) -> range:
        siblings = self._examples.siblings(index)
        return range(siblings.start, min(siblings.stop, self._count))

    def record(self, index: int) -> ImageRecord:
        return self._examples.record(index)

    def example(self, index: int) -> Example:
        return self._examples.example(index)
