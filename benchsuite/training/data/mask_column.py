"""The masks of all instances of a training set: polygons where the dataset has them, else RLE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import binary_to_numpy, is_present, lists_to_numpy, to_numpy
from benchsuite.records import RLE
from benchsuite.targets import TargetMask
from benchsuite.training.data.ragged import Ragged

LEAST_NUMBERS = 6
"""Of a polygon: three points."""


@dataclass(frozen=True, slots=True, eq=False)
class MaskColumn:
    """N masks, each polygons or RLE.

    Attributes:
        pieces: how many numbers each polygon of an instance has, a row an instance.
        points: float64, the coordinates of all polygons of an instance, flat x, y, a row an
            instance.
        counts: uint8, compressed counts, a row an instance; empty where there are polygons.
    """

    pieces: Ragged
    points: Ragged
    counts: Ragged

    @classmethod
    def of(cls, shapes: pa.Table) -> MaskColumn:
        """The masks of a table of ``schemas.MASK_SHAPES``, polygons of fewer than three points and
        of an odd count of numbers left out."""
        polygons = shapes["polygons"].combine_chunks()
        rows = np.repeat(np.arange(len(polygons)), _list_lengths(polygons))
        values, offsets = lists_to_numpy(polygons.flatten())
        numbers = np.diff(offsets)
        kept = (numbers >= LEAST_NUMBERS) & (numbers % 2 == 0)
        if not kept.all():
            values, numbers, rows = values[np.repeat(kept, numbers)], numbers[kept], rows[kept]
        count = len(polygons)
        pieces = Ragged.of_lengths(numbers.astype(np.int32), np.bincount(rows, minlength=count))
        flat = np.bincount(rows, numbers, minlength=count).astype(np.int64)
        segmentation = shapes["segmentation"].combine_chunks()
        counts, ends = binary_to_numpy(segmentation.field("counts"))
        return cls(pieces, Ragged.of_lengths(values, flat), Ragged(counts, ends))

    def take(self, rows: NDArray[np.integer[Any]]) -> MaskColumn:
        """Those of some instances, in that order."""
        return MaskColumn(self.pieces.take(rows), self.points.take(rows), self.counts.take(rows))

    def mask(self, row: int, size: tuple[int, int]) -> TargetMask:
        """The mask of an instance of an image of this height and width."""
        if len(counts := self.counts[row]):
            return RLE(size, counts.tobytes())
        points, start, polygons = self.points[row].reshape(-1, 2).copy(), 0, []
        for numbers in self.pieces[row].tolist():
            polygons.append(points[start : start + numbers // 2])
            start += numbers // 2
        return tuple(polygons)

    def extents(self) -> NDArray[np.float64]:
        """(N, 4): the smallest x and y and the largest x and y of the polygons of each instance;
        NaN where it has none."""
        found = np.full((len(self.points), 4), np.nan)
        rows = np.flatnonzero(self.points.lengths)
        if len(rows):
            starts = self.points.offsets[:-1][rows] // 2
            x, y = self.points.values[::2], self.points.values[1::2]
            sides = (np.minimum, x), (np.minimum, y), (np.maximum, x), (np.maximum, y)
            for side, (extreme, values) in enumerate(sides):
                found[rows, side] = extreme.reduceat(values, starts)
        return found


def segmentation_shapes(segmentation: pa.ChunkedArray[Any]) -> pa.Table:
    """``schemas.MASK_SHAPES`` of a column of RLE alone."""
    polygons = pa.nulls(len(segmentation), pa.list_(pa.list_(pa.float64())))
    return pa.table({"polygons": polygons, "segmentation": segmentation})


def _list_lengths(lists: pa.ListArray[Any]) -> NDArray[np.int64]:
    return np.where(is_present(lists), np.diff(to_numpy(lists.offsets)), 0)
