"""SplitMix64, the only source of chance in ``shapes``.

Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. NumPy's own
generators promise no fixed stream from one version to the next, so this one is written out: a
counter times an odd constant, mixed by multiplications modulo 2**64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB


def mix(word: int) -> int:
    """The finalizer: a bijection of 64-bit words whose output bits look independent."""
    word = ((word ^ (word >> 30)) * _FIRST) & _MASK
    word = ((word ^ (word >> 27)) * _SECOND) & _MASK
    return word ^ (word >> 31)


class SplitMix64:
    """A stream of 64-bit words that depends on the key alone.

    Args:
        key: integers that name the stream (seed, split, image); each one changes all of it.
    """

    def __init__(self, *key: int) -> None:
        state = 0
        for part in key:
            state = mix((state + _GAMMA + (part & _MASK)) & _MASK)
        self._state = state

    def word(self) -> int:
        """The next 64 bits."""
        self._state = (self._state + _GAMMA) & _MASK
        return mix(self._state)

    def between(self, low: int, high: int) -> int:
        """An integer from ``low`` to ``high``, both included."""
        return low + (((self.word() >> 32) * (high - low + 1)) >> 32)

    def chance(self, percent: int) -> bool:
        """True in ``percent`` of 100 cases."""
        return self.between(0, 99) < percent

    def choice(self, items: Sequence[T]) -> T:
        """One of ``items``."""
        return items[self.between(0, len(items) - 1)]

    def weighted(self, weights: Sequence[int]) -> int:
        """An index into ``weights``, each as likely as its weight says."""
        left = self.between(0, sum(weights) - 1)
        for index, weight in enumerate(weights):
            left -= weight
            if left < 0:
                return index
        raise ValueError("weights must be positive integers")

    def words(self, count: int) -> NDArray[np.uint64]:
        """The next ``count`` words, the same that ``word`` would have given one by one."""
        steps = np.arange(1, count + 1, dtype=np.uint64)
        start = np.full(count, self._state, dtype=np.uint64)
        self._state = (self._state + count * _GAMMA) & _MASK
        z = start + steps * np.uint64(_GAMMA)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(_FIRST)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(_SECOND)
        return np.asarray(z ^ (z >> np.uint64(31)))

    def octets(self, count: int) -> NDArray[np.int32]:
        """``count`` integers from 0 to 255, eight of every word, lowest byte first."""
        words = self.words((count + 7) // 8)
        return words.astype("<u8").view(np.uint8)[:count].astype(np.int32)
