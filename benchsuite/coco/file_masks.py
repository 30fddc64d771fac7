"""The masks of a scanned COCO file, made when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchsuite.coco.mask import MAX_COORDINATE
from benchsuite.columns.file_bytes import FileBytes
from benchsuite.errors import InputError
from benchsuite_kernels.columns import rle_batch
from benchsuite_kernels.columns.coco_json import (
    COUNTS,
    NONE,
    POLYGONS,
    RUNS,
    Segmentations,
    gather_counts,
)
from benchsuite_kernels.columns.overlaps import Masks
from benchsuite_kernels.threads import evaluation_threads

Ints = NDArray[np.int64]
Sizes = Callable[[], Ints]
"""Makes (N, 2): height and width of each record's image."""
NameOf = Callable[[int], str]
"""What messages call a record."""


class FileMasks(Protocol):
    """The masks of N records.

    ``complete``: whether every record has one. ``encoded``: they, as RLE; raises ``InputError``
    where one is malformed.
    """

    @property
    def complete(self) -> bool: ...
    @property
    def encoded(self) -> Masks: ...


class SegmentationMasks:
    """Those that a file has: polygons, run lengths and compressed counts.

    Counts keep the size that they state, as in pycocotools; the rest get their image's.
    """

    def __init__(self, found: Segmentations, file: FileBytes, sizes: Sizes, name: NameOf) -> None:
        self._found, self._file, self._sizes, self._name = found, file, sizes, name

    @property
    def complete(self) -> bool:
        return bool((self._found.shape != NONE).all())

    @cached_property
    def encoded(self) -> Masks:
        found = self._found
        counts, offsets = np.zeros(0, np.uint8), np.zeros(len(found.shape) + 1, np.int64)
        if (found.shape == COUNTS).any():
            # The bytes are moved together, and the file's are needed where it is read as JSON.
            counts, offsets = gather_counts(self._file.buffer.copy(), found)
        if (found.shape == COUNTS).all():
            return Masks(counts, offsets, found.size.astype(np.int32))
        view = counts.data
        strings = [view[a:b] for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist())]
        sizes = np.where((found.shape == COUNTS)[:, None], found.size, self._sizes())
        for shape, make in ((RUNS, self._of_runs), (POLYGONS, self._of_polygons)):
            rows = np.flatnonzero(found.shape == shape)
            try:
                made, ends = make(rows, sizes[rows])
            except rle_batch.MaskError as error:
                raise self._error(rows[error.row], str(error)) from None
            view = made.data
            for row, first, last in zip(rows.tolist(), ends[:-1].tolist(), ends[1:].tolist()):
                strings[row] = view[first:last]
        joined = np.frombuffer(b"".join(strings), np.uint8)
        ends = np.concatenate([[0], np.cumsum([len(one) for one in strings], dtype=np.int64)])
        return Masks(joined, ends, sizes.astype(np.int32))

    def _of_runs(self, rows: Ints, sizes: Ints) -> tuple[NDArray[np.uint8], Ints]:
        runs = self._found.runs
        return rle_batch.from_runs(
            runs.items, runs.lengths[rows], sizes, threads=evaluation_threads()
        )

    def _of_polygons(self, rows: Ints, sizes: Ints) -> tuple[NDArray[np.uint8], Ints]:
        polygons, points = self._found.polygons, self._found.points
        far = np.flatnonzero(np.abs(points) > MAX_COORDINATE)
        if len(far):
            polygon = np.searchsorted(np.cumsum(polygons.items), far[0], side="right")
            row = np.searchsorted(np.cumsum(polygons.lengths), polygon, side="right")
            raise self._error(row, f"a coordinate lies beyond {MAX_COORDINATE:.0f} pixels")
        return rle_batch.from_polygons(
            points, polygons.items, polygons.lengths[rows], sizes, threads=evaluation_threads()
        )

    def _error(self, row: np.integer[Any], problem: str) -> InputError:
        return InputError(
            f"the field 'segmentation' is malformed: {problem}", record=self._name(int(row))
        )


class BoxMasks:
    """Boxes as masks: what pycocotools makes of detections that have none.

    Args:
        boxes: (N, 4) ``x, y, width, height``.
    """

    complete = True

    def __init__(self, boxes: NDArray[np.float64], sizes: Sizes, name: NameOf) -> None:
        self._boxes, self._sizes, self._name = boxes, sizes, name

    @cached_property
    def encoded(self) -> Masks:
        x, y, width, height = self._boxes.T
        right, bottom = x + width, y + height
        points = np.stack([x, y, x, bottom, right, bottom, right, y], axis=1)
        far = (np.abs(points) > MAX_COORDINATE).any(axis=1)
        if far.any():
            problem = f"bbox has a coordinate beyond {MAX_COORDINATE:.0f} pixels"
            raise InputError(problem, record=self._name(int(far.argmax())))
        count, sizes = len(points), self._sizes()
        counts, offsets = rle_batch.from_polygons(
            points.ravel(),
            np.full(count, 8, np.int32),
            np.ones(count, np.int32),
            sizes,
            threads=evaluation_threads(),
        )
        return Masks(counts, offsets, sizes.astype(np.int32))
