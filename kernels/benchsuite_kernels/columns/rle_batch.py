"""Many masks at once, as COCO's compressed run-length encoding: see ``rle``.

The compressed counts of N masks lie one after the other in a buffer ``counts``, (B,) uint8; those
of mask ``i`` are ``counts[offsets[i] : offsets[i + 1]]``. ``offsets`` are (N + 1,) int64, ``sizes``
(N, 2) int64: height and width in pixels of each mask's image. ``threads`` share the work, and the
result does not depend on them. A mask that is malformed is a ``MaskError``, which says which one it
is; of several the first is named.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.dispatch import native, tally

P = ParamSpec("P")
T = TypeVar("T")

_Bytes = NDArray[np.uint8]
_Ints = NDArray[np.int64]


class MaskError(ValueError):
    """A mask is malformed.

    Attributes:
        row: which one.
    """

    def __init__(self, problem: str, row: int) -> None:
        super().__init__(problem)
        self.row = row


def areas(counts: _Bytes, offsets: _Ints, *, threads: int = 1) -> _Ints:
    """(N,) int64, the pixels inside each mask. Their images' sizes are not checked."""
    return _named(_serving("rle_area").areas)(counts, offsets, threads)


def validate(counts: _Bytes, offsets: _Ints, sizes: _Ints, *, threads: int = 1) -> _Ints:
    """Check masks against their images' sizes; (N,) int64, the pixels inside each."""
    return _named(_serving("rle_validate").validate)(counts, offsets, sizes, threads)


def to_bboxes(
    counts: _Bytes, offsets: _Ints, sizes: _Ints, *, threads: int = 1
) -> NDArray[np.float64]:
    """(N, 4) float64, the tight boxes ``x, y, width, height``; zeros where a mask is empty."""
    return _named(_serving("rle_to_bbox").boxes)(counts, offsets, sizes, threads)


def from_polygons(
    points: NDArray[np.float64],
    numbers: NDArray[np.int32],
    polygons: NDArray[np.int32],
    sizes: _Ints,
    *,
    threads: int = 1,
) -> tuple[_Bytes, _Ints]:
    """The masks of polygons, each mask the union of some; to the pixel as pycocotools' ``frPoly``.

    Args:
        points: (V,) float64, ``x1, y1, x2, y2, ...`` in pixels, polygon after polygon.
        numbers: (P,) int32, how many of them each polygon has: an even number, at least 6.
        polygons: (N,) int32, how many polygons each mask has, at least 1.
        sizes: see the module.

    Returns:
        Counts and offsets.
    """
    make = _serving("rle_from_polygons").from_polygons
    return _named(make)(points, numbers, polygons, sizes, threads)


def from_runs(
    runs: _Ints, numbers: NDArray[np.int32], sizes: _Ints, *, threads: int = 1
) -> tuple[_Bytes, _Ints]:
    """The masks of COCO's uncompressed counts: run lengths, background first.

    Args:
        runs: (R,) int64, mask after mask.
        numbers: (N,) int32, how many of them each mask has.
        sizes: see the module.

    Returns:
        Counts and offsets.
    """
    return _named(_serving("rle_from_runs").from_runs)(runs, numbers, sizes, threads)


class _Kernels(Protocol):
    """What the reference module and the extension both offer; errors are ``(problem, row)``."""

    def areas(self, counts: _Bytes, offsets: _Ints, threads: int) -> _Ints: ...
    def validate(self, counts: _Bytes, offsets: _Ints, sizes: _Ints, threads: int) -> _Ints: ...
    def boxes(
        self, counts: _Bytes, offsets: _Ints, sizes: _Ints, threads: int
    ) -> NDArray[np.float64]: ...
    def from_polygons(
        self,
        points: NDArray[np.float64],
        numbers: NDArray[np.int32],
        polygons: NDArray[np.int32],
        sizes: _Ints,
        threads: int,
    ) -> tuple[_Bytes, _Ints]: ...
    def from_runs(
        self, runs: _Ints, numbers: NDArray[np.int32], sizes: _Ints, threads: int
    ) -> tuple[_Bytes, _Ints]: ...


def _serving(operator: str) -> _Kernels:
    extension = native()
    if extension is None:
        from benchsuite_kernels.columns import rle_batch_reference

        tally(operator, "reference")
        return rle_batch_reference
    tally(operator, "c++")
    kernels: _Kernels = extension.rle_batch
    return kernels


def _named(work: Callable[P, T]) -> Callable[P, T]:
    """The function, its error of a mask as a ``MaskError``."""

    def call(*args: Any, **kwargs: Any) -> T:
        try:
            return work(*args, **kwargs)
        except ValueError as error:
            if len(error.args) == 2:
                raise MaskError(*error.args) from None
            raise

    return call
