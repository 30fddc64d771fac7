"""The ``segmentation`` field of COCO records as a column: polygons and RLE in, compressed RLE out.

Taken are a list of polygons, RLE with ``counts`` as COCO's compressed string, and RLE with
``counts`` as a list of run lengths. All are kept as they are until ``encode`` checks them and turns
them into compressed RLE, which costs far more than reading them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import lists_from_numpy, lists_of
from benchsuite.columns.encoded_masks import EncodedMasks, interleaved
from benchsuite.columns.record_checks import RecordNames
from benchsuite.columns.segmentation_shapes import Shapes, shapes_of_values
from benchsuite_kernels.columns import rle_batch
from benchsuite_kernels.columns.coco_json import COUNTS, NONE, POLYGONS, RUNS
from benchsuite_kernels.columns.rle_batch import MaskError
from benchsuite_kernels.threads import evaluation_threads

MAX_COORDINATE = 1e5
"""Largest absolute polygon coordinate that is taken, in pixels: COCO's own largest area is the
square of this."""

_MOST_PIXELS = 2**34
"""Of an image that masks are made for."""


class SegmentationColumn:
    """Segmentations, one a record.

    A segmentation that is malformed is an error only once it is encoded: whoever scores boxes
    alone has no need of it.

    Args:
        shapes: the segmentations.
        names: how messages name the records.

    Attributes:
        present: (N,) bool, whether a record has a segmentation.
    """

    def __init__(self, shapes: Shapes, names: RecordNames) -> None:
        self._shapes, self._names = shapes, names
        self.present = shapes.shape != NONE
        self.present[list(shapes.malformed)] = True

    @classmethod
    def of_values(cls, values: Sequence[Any], names: RecordNames) -> SegmentationColumn:
        """Segmentations as ``json`` makes them, ``None`` where a record has none."""
        return cls(shapes_of_values(values), names)

    @property
    def outlined(self) -> NDArray[np.bool_]:
        """(N,), whether a record's segmentation is polygons."""
        outlined: NDArray[np.bool_] = self._shapes.shape == POLYGONS
        return outlined

    def polygons(self) -> pa.Array[Any]:
        """The polygons as the records have them, flat x, y, whatever they are like; null where a
        record has none.

        Raises:
            InputError: a segmentation is neither polygons nor RLE; the first is named.
        """
        for row, problem in sorted(self._shapes.malformed.items()):
            raise self._names.error(row, f"the field 'segmentation' {problem}")
        polygons = self._shapes.polygons
        ends = np.concatenate([[0], np.cumsum(polygons.items, dtype=np.int64)])
        each = lists_from_numpy(self._shapes.points, ends)
        ends = np.concatenate([[0], np.cumsum(polygons.lengths, dtype=np.int64)])
        return lists_of(each, ends, self.outlined)

    def encode(
        self, sizes: NDArray[np.int64], rows: NDArray[np.integer[Any]] | None = None
    ) -> EncodedMasks:
        """COCO's compressed counts of the masks.

        Args:
            sizes: (N, 2), height and width of each record's image.
            rows: which records; ``None``: all.

        Returns:
            The masks of all N records, those of other rows missing.

        Raises:
            InputError: a segmentation is malformed or of another size than its image; the first is
                named.
        """
        kept = np.ones(len(self.present), np.bool_)
        if rows is not None:
            kept = np.zeros(len(self.present), np.bool_)
            kept[rows] = True
        shapes = self._shapes.take(kept)
        problems = list(_problems(shapes, sizes))
        parts = []
        for part in (_of_counts, _of_runs, _of_polygons):
            try:
                parts.append(part(shapes, sizes))
            except _Malformed as error:
                problems.append((error.row, f"is malformed: {error}"))
        if problems:
            # Of one record's problems the first found counts.
            row, problem = min(problems, key=itemgetter(0))
            raise self._names.error(row, f"the field 'segmentation' {problem}")
        counts, offsets = interleaved(parts, len(self.present))
        return EncodedMasks(counts, offsets, shapes.shape != NONE)


# --- encoding ---------------------------------------------------------------------------------

_Part = tuple[NDArray[np.intp], NDArray[np.uint8], NDArray[np.int64]]


class _Malformed(Exception):
    """A mask is malformed.

    Attributes:
        row: whose.
    """

    def __init__(self, problem: str, row: int) -> None:
        super().__init__(problem)
        self.row = row


def _problems(shapes: Shapes, sizes: NDArray[np.int64]) -> Iterator[tuple[int, str]]:
    """What can be said without looking into the masks: record and problem."""
    yield from shapes.malformed.items()
    rle = (shapes.shape == COUNTS) | (shapes.shape == RUNS)
    for row in np.flatnonzero(rle & (shapes.size != sizes).any(axis=1))[:1].tolist():
        stated, needed = shapes.size[row].tolist(), sizes[row].tolist()
        yield row, f"has the size {stated} (height, width), but its image has {needed}"
    yield from shapes.malformed_counts.items()
    far = np.flatnonzero(~(np.abs(shapes.points) <= MAX_COORDINATE) & ~np.isnan(shapes.points))
    if len(far):
        polygon = np.searchsorted(np.cumsum(shapes.polygons.items), far[0], side="right")
        row = int(np.searchsorted(np.cumsum(shapes.polygons.lengths), polygon, side="right"))
        yield row, f"has a polygon with a coordinate beyond {MAX_COORDINATE:.0f} pixels"


def _of_counts(shapes: Shapes, sizes: NDArray[np.int64]) -> _Part:
    rows = np.flatnonzero(shapes.shape == COUNTS)
    offsets = np.append(shapes.offsets[rows], shapes.offsets[-1])
    with _naming(rows, sizes):
        rle_batch.validate(shapes.counts, offsets, sizes[rows], threads=evaluation_threads())
    return rows, shapes.counts, offsets


def _of_runs(shapes: Shapes, sizes: NDArray[np.int64]) -> _Part:
    rows = np.flatnonzero(shapes.shape == RUNS)
    lengths = shapes.runs.lengths[rows]
    with _naming(rows, sizes):
        made = rle_batch.from_runs(
            shapes.runs.items, lengths, sizes[rows], threads=evaluation_threads()
        )
    return rows, *made


def _of_polygons(shapes: Shapes, sizes: NDArray[np.int64]) -> _Part:
    rows = np.flatnonzero(shapes.shape == POLYGONS)
    with _naming(rows, sizes):
        made = rle_batch.from_polygons(
            shapes.points,
            shapes.polygons.items,
            shapes.polygons.lengths[rows],
            sizes[rows],
            threads=evaluation_threads(),
        )
    return rows, *made


@contextmanager
def _naming(rows: NDArray[np.intp], sizes: NDArray[np.int64]) -> Iterator[None]:
    """The masks of these rows are made: an error of one says which record's it is."""
    height, width = sizes[rows].T
    huge = np.flatnonzero(height > _MOST_PIXELS // np.maximum(width, 1))
    if len(huge):
        row = int(rows[huge[0]])
        size = " x ".join(map(str, sizes[row].tolist()))
        raise _Malformed(f"an image of {size} pixels cannot be", row)
    try:
        yield
    except MaskError as error:
        raise _Malformed(str(error), int(rows[error.row])) from None
