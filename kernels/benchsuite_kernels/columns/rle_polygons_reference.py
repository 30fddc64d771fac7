"""Polygons to masks in NumPy, to the pixel as pycocotools does it: what C++ is held against.

The polygon's boundary is walked on a grid five times as fine as the pixels, one fine column a step
where an edge is flat, one fine row where it is steep. Where the walk steps from fine column 5 c + 2
to 5 c + 3 or back it crosses the middle of pixel column c, and the mask changes there between
inside and outside, at the upper of the two fine rows. (Source: pycocotools' ``maskApi.c``, whose
casts truncate towards zero.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns.rle_reference import compress

FINE, MIDDLE = 5, 2

LARGEST_COORDINATE = 4e8
"""Largest absolute coordinate that is taken: five times it fits 32 bits."""

_Ints = NDArray[np.int64]


def from_polygons(polygons: Sequence[NDArray[np.float64]], size: tuple[int, int]) -> bytes:
    """Compressed counts of the union of polygons, each ``x1, y1, x2, y2, ...``.

    Raises:
        ValueError: there is none, or one of an odd length, too short or with a number that is not
            finite or beyond ``LARGEST_COORDINATE``.
    """
    height, width = size
    pixels = height * width
    if not len(polygons):
        raise ValueError("there is no polygon")
    covering = []
    for place, polygon in enumerate(polygons):
        _check(place, polygon)
        changes = _changes(polygon, height, width)
        steps = np.where(np.arange(len(changes)) % 2, -1, 1)
        covering.append(np.stack([changes, steps], axis=1))
    joined = np.concatenate(covering)
    # How many polygons cover what follows each place where one begins or ends.
    places, inverse = np.unique(joined[:, 0], return_inverse=True)
    step = np.zeros(len(places), np.int64)
    np.add.at(step, inverse, joined[:, 1])
    inside = np.cumsum(step) > 0
    changed = places[np.diff(inside, prepend=False)]
    end = [] if len(changed) and changed[-1] == pixels else [pixels]
    bounds: _Ints = np.concatenate([[0], changed, end]).astype(np.int64)
    return compress(bounds[1:] - bounds[:-1])


def _check(place: int, polygon: NDArray[np.float64]) -> None:
    if len(polygon) < 6 or len(polygon) % 2:
        raise ValueError(f"polygon {place} has {len(polygon)} numbers, not 6, 8, 10, ...")
    for number in polygon:
        if not np.isfinite(number):
            raise ValueError(f"polygon {place} holds a number that is not finite")
        if abs(number) > LARGEST_COORDINATE:
            raise ValueError(f"polygon {place} holds a coordinate beyond 400000000 pixels")


def _changes(polygon: NDArray[np.float64], height: int, width: int) -> _Ints:
    """Where the mask of one polygon changes, ascending; two at one place are none."""
    fine = np.trunc(FINE * polygon.reshape(-1, 2) + 0.5).astype(np.int64)
    edges = np.concatenate([fine, np.roll(fine, -1, axis=0)], axis=1)
    found = [_crossings(x, y, x_end, y_end, height, width) for x, y, x_end, y_end in edges.tolist()]
    places, times = np.unique(np.concatenate(found), return_counts=True)
    odd: _Ints = places[times % 2 == 1]
    return odd


def _crossings(x: int, y: int, x_end: int, y_end: int, height: int, width: int) -> _Ints:
    """Where one edge crosses the middles of pixel columns."""
    across, down = abs(x_end - x), abs(y_end - y)
    flat = across >= down
    if x > x_end if flat else y > y_end:
        x, y, x_end, y_end = x_end, y_end, x, y
    low, high = min(x, x_end), max(x, x_end)
    columns = np.arange(width)
    middles = FINE * columns + MIDDLE
    crossed = (low <= middles) & (middles < high)
    columns, middles = columns[crossed], middles[crossed]
    if not len(columns):
        return columns
    if flat:
        slope = (y_end - y) / across
        steps = middles - x
        rows = np.minimum(
            np.trunc(y + slope * steps + 0.5), np.trunc(y + slope * (steps + 1) + 0.5)
        ).astype(np.int64)
    else:
        rows = y + _first_beyond(x, x_end, down, middles) - 1
    rows = np.where(rows <= MIDDLE, 0, np.minimum((rows - MIDDLE + FINE - 1) // FINE, height))
    return columns * height + rows


def _first_beyond(x: int, x_end: int, down: int, middles: _Ints) -> _Ints:
    """The first step down a steep edge at which it is beyond each middle; by bisection."""
    slope = (x_end - x) / down
    before, beyond = np.zeros(len(middles), np.int64), np.full(len(middles), down)
    while (beyond - before > 1).any():
        half = (before + beyond) // 2
        passed = (np.trunc(x + slope * half + 0.5) > middles) == (x_end > x)
        before, beyond = np.where(passed, before, half), np.where(passed, half, beyond)
    return beyond
