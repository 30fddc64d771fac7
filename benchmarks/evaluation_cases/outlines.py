"""Objects' masks, as COCO RLE and as polygons, all of a scene at once.

An object fills its box between an upper and a lower outline, wavy curves that meet at both ends,
so that a mask is one run a column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation_cases.scenes import Floats, Ints, Objects

CHUNK = 20_000
"""Objects whose masks are made at a time."""
POLYGON_COLUMNS = 13


@dataclass(frozen=True)
class Columns:
    """Columns of masks: of which object, and from which row up to which (not included)."""

    starts: Ints
    owners: Ints
    x: Ints
    tops: Ints
    bottoms: Ints


def outlines(at: Floats, objects: Objects) -> tuple[Floats, Floats]:
    """Upper and lower outline, as shares of the box's height, at shares of its width.

    Args:
        at: (N, ...), 0 to 1.
    """
    extra = (1,) * (at.ndim - 1)
    waves = [objects.shapes[:, place].reshape(-1, *extra) for place in range(6)]
    round_ = (4 * at * (1 - at)) ** (0.35 + 0.2 * (waves[0] + 1))
    upper = round_ * (0.78 + 0.15 * np.sin(7 * at + 3 * waves[1]) + 0.07 * waves[2])
    lower = round_ * (0.78 + 0.15 * np.sin(9 * at + 3 * waves[3]) + 0.07 * waves[4])
    # A third of the objects is ragged.
    ragged = np.where(waves[5] > 0.33, 0.06, 0.0) * np.sin(60 * at + 10 * waves[5])
    return 0.5 - 0.5 * np.clip(upper + ragged, 0, 1), 0.5 + 0.5 * np.clip(lower - ragged, 0, 1)


def mask_columns(objects: Objects, heights: Ints) -> Columns:
    """The columns of each object's mask, at least one pixel high."""
    left = np.floor(objects.boxes[:, 0]).astype(np.int64)
    right = np.maximum(np.ceil(objects.boxes[:, 0] + objects.boxes[:, 2]), left + 1)
    widths = right.astype(np.int64) - left
    starts = np.concatenate([[0], np.cumsum(widths)])
    owners = np.repeat(np.arange(len(objects)), widths)
    step = np.arange(starts[-1]) - starts[owners]
    upper, lower = outlines((step + 0.5) / widths[owners], objects.take(owners))
    y, height = objects.boxes[owners, 1], objects.boxes[owners, 3]
    limit = heights[owners]
    tops = np.clip(np.round(y + upper * height).astype(np.int64), 0, limit - 2)
    bottoms = np.clip(np.round(y + lower * height).astype(np.int64), tops + 1, limit - 1)
    return Columns(starts, owners, left[owners] + step, tops, bottoms)


def mask_boxes(objects: Objects, heights: Ints) -> Ints:
    """(N, 4) ``x, y, width, height``, the tight box round each mask."""
    columns = mask_columns(objects, heights)
    firsts = columns.starts[:-1]
    tops = np.minimum.reduceat(columns.tops, firsts)
    bottoms = np.maximum.reduceat(columns.bottoms, firsts)
    return np.stack([columns.x[firsts], tops, np.diff(columns.starts), bottoms - tops], axis=1)


def run_lengths(objects: Objects, heights: Ints, widths: Ints) -> tuple[Ints, Ints]:
    """The runs of all masks, one after the other, and where each mask's begin (and the last end).

    Runs go column by column: outside, inside, ..., outside.
    """
    columns = mask_columns(objects, heights)
    limit = heights[columns.owners]
    begins = columns.x * limit + columns.tops
    ends = columns.x * limit + columns.bottoms
    counts = 2 * np.diff(columns.starts) + 1
    starts = np.concatenate([[0], np.cumsum(counts)])
    runs = np.zeros(starts[-1], np.int64)
    place = np.arange(len(begins)) - columns.starts[columns.owners]
    first = starts[columns.owners] + 2 * place
    before = np.concatenate([[0], ends[:-1]])
    before[columns.starts[:-1]] = 0
    runs[first] = begins - before
    runs[first + 1] = ends - begins
    runs[starts[1:] - 1] = heights * widths - ends[columns.starts[1:] - 1]
    return runs, starts


def compressed(runs: Ints, starts: Ints) -> list[bytes]:
    """COCO's compressed counts of each mask."""
    rest = runs.copy()
    place = np.arange(len(runs)) - np.repeat(starts[:-1], np.diff(starts))
    later = np.flatnonzero(place > 2)
    rest[later] -= runs[later - 2]
    letters, open_ = [], np.ones(len(runs), np.bool_)
    while open_.any():
        low = rest & 0x1F
        rest >>= 5
        more = np.where(low & 0x10, rest != -1, rest != 0)
        letters.append(np.where(open_, (low | more << 5) + 48, 0).astype(np.uint8))
        open_ &= more
    table = np.stack(letters, axis=1)
    lengths = np.add.reduceat((table > 0).sum(axis=1), starts[:-1])
    text = table[table > 0].tobytes()
    ends = np.cumsum(lengths).tolist()
    return [text[first:last] for first, last in zip([0, *ends[:-1]], ends)]


def masks(objects: Objects, heights: Ints, widths: Ints) -> Iterator[bytes]:
    """Each object's compressed counts; heights and widths are those of its image, (N,)."""
    for first in range(0, len(objects), CHUNK):
        rows = np.arange(first, min(first + CHUNK, len(objects)))
        yield from compressed(*run_lengths(objects.take(rows), heights[rows], widths[rows]))


def polygons(objects: Objects) -> tuple[NDArray[np.float64], Floats]:
    """(N, 4 * POLYGON_COLUMNS) ``x1, y1, x2, ...`` round each object, and (N,) their areas."""
    at = np.broadcast_to(np.linspace(0.02, 0.98, POLYGON_COLUMNS), (len(objects), POLYGON_COLUMNS))
    upper, lower = outlines(at, objects)
    x, y, width, height = (objects.boxes[:, axis, None] for axis in range(4))
    across = np.concatenate([at, at[:, ::-1]], axis=1)
    down = np.concatenate([upper, lower[:, ::-1]], axis=1)
    points = np.stack([x + across * width, y + down * height], axis=2).round(2)
    after = np.roll(points, -1, axis=1)
    crossed = points[..., 0] * after[..., 1] - after[..., 0] * points[..., 1]
    return points.reshape(len(objects), -1), np.abs(crossed.sum(axis=1)) / 2
