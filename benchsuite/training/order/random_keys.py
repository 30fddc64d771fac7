"""Random numbers that follow from a key alone: the same on every machine, process and version.

Of NumPy's generators only the raw bits are promised never to change; all here is made of those.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Purpose(IntEnum):
    """What random numbers are drawn for: other numbers for each, whatever else the key holds."""

    ORDER = 1
    REPEATS = 2
    MIXTURE = 3
    IMAGE = 4
    OTHER_IMAGE = 5
    MICRO_BATCH = 6
    VALIDATION = 7


def random_bits(count: int, purpose: Purpose, *key: int) -> NDArray[np.uint64]:
    """(count,) uint64, uniform."""
    sequence = np.random.SeedSequence((int(purpose), *key))
    bits: NDArray[np.uint64] = np.random.PCG64(sequence).random_raw(count)
    return bits


def random_order(count: int, purpose: Purpose, *key: int) -> NDArray[np.int64]:
    """(count,) int64: 0 to ``count - 1`` in random order."""
    return np.argsort(random_bits(count, purpose, *key), kind="stable")


def random_shares(count: int, purpose: Purpose, *key: int) -> NDArray[np.float64]:
    """(count,) float64, uniform in [0, 1)."""
    return (random_bits(count, purpose, *key) >> 11).astype(np.float64) * 2.0**-53


def random_seed(purpose: Purpose, *key: int) -> int:
    """A seed for other generators, 0 to 2^63 - 1."""
    sequence = np.random.SeedSequence((int(purpose), *key))
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)
