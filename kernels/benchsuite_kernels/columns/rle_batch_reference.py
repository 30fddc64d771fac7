"""Many masks at once, one after the other in NumPy: what the C++ kernels are held against."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns import rle_polygons_reference, rle_reference

_Bytes = NDArray[np.uint8]
_Ints = NDArray[np.int64]


def areas(counts: _Bytes, offsets: _Ints, threads: int) -> _Ints:
    found = _each(_masks(counts, offsets), rle_reference.area)
    return np.array(found, np.int64)


def validate(counts: _Bytes, offsets: _Ints, sizes: _Ints, threads: int) -> _Ints:
    found = _each(_masks(counts, offsets), rle_reference.validate, _pairs(sizes))
    return np.array(found, np.int64)


def boxes(counts: _Bytes, offsets: _Ints, sizes: _Ints, threads: int) -> NDArray[np.float64]:
    found = _each(_masks(counts, offsets), rle_reference.to_bbox, _pairs(sizes))
    return np.array(found, np.float64).reshape(-1, 4)


def from_polygons(
    points: NDArray[np.float64],
    numbers: NDArray[np.int32],
    polygons: NDArray[np.int32],
    sizes: _Ints,
    threads: int,
) -> tuple[_Bytes, _Ints]:
    split = np.split(points, np.cumsum(numbers)[:-1]) if len(numbers) else []
    stops = np.cumsum(polygons)
    masks = [split[stop - count : stop] for stop, count in zip(stops, polygons)]
    return _joined(_each(masks, rle_polygons_reference.from_polygons, _pairs(sizes)))


def from_runs(
    runs: _Ints, numbers: NDArray[np.int32], sizes: _Ints, threads: int
) -> tuple[_Bytes, _Ints]:
    stops = np.cumsum(numbers)
    masks = [runs[stop - count : stop] for stop, count in zip(stops, numbers)]
    return _joined(_each(masks, _compressed, _pairs(sizes)))


def _compressed(runs: _Ints, size: tuple[int, int]) -> bytes:
    if not len(runs):
        raise ValueError("uncompressed counts are a non-empty list of integers")
    for place, run in enumerate(runs.tolist()):
        if run < 0:
            raise ValueError(f"run {place} of the RLE is negative")
        if run > rle_reference.LONGEST_RUN:
            raise ValueError(f"run {place} of the RLE is longer than any image")
    rle_reference.check_cover(runs, size)
    return rle_reference.compress(runs)


def _each(masks: Iterable[Any], work: Callable[..., Any], *further: Sequence[Any]) -> list[Any]:
    """The work on every mask; an error says which one it was."""
    found = []
    for row, arguments in enumerate(zip(masks, *further)):
        try:
            found.append(work(*arguments))
        except ValueError as error:
            raise ValueError(str(error), row) from None
    return found


def _masks(counts: _Bytes, offsets: _Ints) -> list[bytes]:
    return [counts[start:stop].tobytes() for start, stop in pairwise(offsets)]


def _pairs(sizes: _Ints) -> list[tuple[int, int]]:
    return [(height, width) for height, width in sizes.tolist()]


def _joined(masks: Sequence[bytes]) -> tuple[_Bytes, _Ints]:
    offsets = np.cumsum([0, *map(len, masks)], dtype=np.int64)
    return np.frombuffer(bytearray().join(masks), np.uint8), offsets
