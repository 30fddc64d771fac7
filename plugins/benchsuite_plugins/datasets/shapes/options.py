"""The options of ``shapes``."""

from __future__ import annotations

from dataclasses import dataclass

from benchsuite.errors import UsageError

DEFAULT_COUNTS = {"val": 300, "train": 600}

SMALLEST, LARGEST = 64, 1024


@dataclass(frozen=True, slots=True)
class ShapesOptions:
    """What can be chosen of ``shapes``.

    The first images of a split are the same whatever ``count`` is.

    Attributes:
        count: images in the split; ``None``: 300 in val, 600 in train.
        size: nominal size in pixels, 64 to 1024: the longer side of an image is 5/6 to 4/3 of it.
        seed: another seed is another dataset.

    Raises:
        UsageError: a value out of range.
    """

    count: int | None = None
    size: int = 192
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count is not None and not 1 <= self.count <= 1_000_000:
            raise UsageError(
                f"shapes: count={self.count} images cannot be drawn; take 1 to 1000000"
            )
        if not SMALLEST <= self.size <= LARGEST:
            raise UsageError(
                f"shapes: size={self.size} is out of range; take {SMALLEST} to {LARGEST} pixels"
            )
        if not 0 <= self.seed < 1 << 64:
            raise UsageError(f"shapes: seed={self.seed} is out of range; take 0 to 2**64 - 1")

    def images_in(self, split: str) -> int:
        """How many images ``split`` has."""
        return DEFAULT_COUNTS[split] if self.count is None else self.count
