"""Several training sets as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchsuite.records import ImageRecord
from benchsuite.training.data.example import Example


class Examples(Protocol):
    """What is trained on: examples by index, and what an order of them is made of.

    ``image_labels`` returns image and label of each pair of them that occurs, once; ``siblings``
    which examples are of the same dataset as one, itself included.
    """

    def __len__(self) -> int: ...
    @property
    def widths(self) -> NDArray[np.int64]: ...
    @property
    def heights(self) -> NDArray[np.int64]: ...
    def image_labels(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]: ...
    def siblings(self, index: int) -> range: ...
    def record(self, index: int) -> ImageRecord: ...
    def example(self, index: int) -> Example: ...


class JoinedSets:
    """The examples of several sets, one set after the other.

    Args:
        sets: at least one, all with the same labels.
    """

    def __init__(self, sets: Sequence[Examples]) -> None:
        self.sets = tuple(sets)
        self.starts = np.cumsum([0, *map(len, sets)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def widths(self) -> NDArray[np.int64]:
        return np.concatenate([each.widths for each in self.sets])

    @property
    def heights(self) -> NDArray[np.int64]:
        return np.concatenate([each.heights for each in self.sets])

    def image_labels(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        pairs = [each.image_labels() for each in self.sets]
        images = [images + start for (images, _), start in zip(pairs, self.starts)]
        return np.concatenate(images), np.concatenate([labels for _, labels in pairs])

    def siblings(self, index: int) -> range:
        place, _ = self._place(index)
        return range(int(self.starts[place]), int(self.starts[place + 1]))

    def record(self, index: int) -> ImageRecord:
        place, local = self._place(index)
        return self.sets[place].record(local)

    def example(self, index: int) -> Example:
        place, local = self._place(index)
        return self.sets[place].example(local)

    def _place(self, index: int) -> tuple[int, int]:
        """Which set an example is of, and its index there."""
        place = int(np.searchsorted(self.starts, index, side="right")) - 1
        return place, index - int(self.starts[place])
