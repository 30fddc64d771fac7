"""Rows of different lengths in one array, which processes can share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """N rows, one after the other.

    Attributes:
        values: (V,) or (V, K), those of all rows.
        offsets: (N + 1,) int64: row ``i`` is ``values[offsets[i] : offsets[i + 1]]``.
    """

    values: NDArray[Any]
    offsets: NDArray[np.int64]

    @classmethod
    def of_lengths(cls, values: NDArray[Any], lengths: NDArray[np.integer[Any]]) -> Ragged:
        """Rows of these lengths."""
        offsets = np.zeros(len(lengths) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        return cls(values, offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> NDArray[Any]:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N,)."""
        return np.diff(self.offsets)

    def text(self, row: int) -> str:
        """A row of bytes that are UTF-8."""
        return self[row].tobytes().decode()

    def take(self, rows: NDArray[np.integer[Any]]) -> Ragged:
        """Those rows, in that order."""
        lengths = self.lengths[rows]
        taken = Ragged.of_lengths(self.values[:0], lengths)
        shift = np.repeat(self.offsets[rows] - taken.offsets[:-1], lengths)
        return Ragged(self.values[shift + np.arange(len(shift))], taken.offsets)
