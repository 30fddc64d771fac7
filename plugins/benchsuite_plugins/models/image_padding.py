"""How large a batch of images of several sizes is; images lie in its upper left corner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class PaddingOptions:
    """The size of a batch.

    Attributes:
        square_size: side, in pixels, of the square that images are padded to; 0: no square, but the
            multiple that the backbone needs.
    """

    square_size: int = 0


class Padding(Protocol):
    """From the height and width that every image of a batch fits in to those of the batch."""

    def __call__(self, height: int, width: int) -> tuple[int, int]: ...

    def describe(self) -> Mapping[str, Any]:
        """What a result depends on, as JSON-able values."""


class PadToMultiple:
    """Up to the next multiple of ``size_divisibility``, each side on its own."""

    def __init__(self, size_divisibility: int) -> None:
        self.size_divisibility = size_divisibility

    def __call__(self, height: int, width: int) -> tuple[int, int]:
        return self.round_up(height), self.round_up(width)

    def round_up(self, length: int) -> int:
        """The next multiple of a length in pixels."""
        return -(-length // self.size_divisibility) * self.size_divisibility

    def describe(self) -> Mapping[str, Any]:
        return {"multiple_of": self.size_divisibility}


class PadToSquare(PadToMultiple):
    """A square of ``square_size``, and a larger one where an image does not fit in; its side is
    rounded up to a multiple of ``size_divisibility``.
    """

    def __init__(self, square_size: int, size_divisibility: int) -> None:
        super().__init__(size_divisibility)
        self.square_size = square_size

    def __call__(self, height: int, width: int) -> tuple[int, int]:
        side = self.round_up(max(self.square_size, height, width))
        return side, side

    def describe(self) -> Mapping[str, Any]:
        return {"square": self.square_size, **super().describe()}


def make_padding(options: PaddingOptions, size_divisibility: int) -> Padding:
    """The padding that options ask for.

    Args:
        size_divisibility: both sides of the backbone's input must be multiples of it.
    """
    if options.square_size:
        return PadToSquare(options.square_size, size_divisibility)
    return PadToMultiple(size_divisibility)
