"""Sine and cosine in integers, since the last bit of a machine's ``sin`` is its own affair.

Angles are in 1/1024 of a turn, values in 1/16384. The quarter wave is summed once, at import,
from Taylor's series in 128-bit fixed point, and rounded to nearest.
"""

from __future__ import annotations

TURN = 1024
"""One full turn."""

ONE = 1 << 14
"""What stands for 1.0."""

_BITS = 128
_PI = 0x3243F6A8885A308D313198A2E03707344A4093822299F31D0  # floor(pi * 2**192)


def _sine(angle: int) -> int:
    """sin(2 pi angle / TURN) * ONE, to nearest, for 0 <= angle <= TURN / 4."""
    x = (2 * _PI * angle // TURN) >> (192 - _BITS)
    square = x * x >> _BITS
    total = term = x
    for n in range(3, 60, 2):
        term = -(term * square >> _BITS) // (n * (n - 1))
        total += term
    return (total * ONE + (1 << (_BITS - 1))) >> _BITS


_QUARTER = tuple(_sine(angle) for angle in range(TURN // 4 + 1))
SINES = (
    _QUARTER[:-1]
    + _QUARTER[:0:-1]
    + tuple(-value for value in _QUARTER[:-1])
    + tuple(-value for value in _QUARTER[:0:-1])
)
"""``SINES[a] = sin(2 pi a / 1024) * 16384`` for a whole turn."""


def sin(angle: int) -> int:
    return SINES[angle % TURN]


def cos(angle: int) -> int:
    return SINES[(angle + TURN // 4) % TURN]
