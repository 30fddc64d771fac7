"""Segmentations of COCO records as a file has them: polygons, run lengths, compressed counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.columns.plain_values import any_number, integer, shown
from benchsuite_kernels.columns.coco_json import COUNTS, NONE, POLYGONS, RUNS, Lists


@dataclass(frozen=True, slots=True)
class Shapes:
    """Segmentations of N records as a file has them.

    Attributes:
        shape: (N,) uint8, ``NONE``, ``COUNTS``, ``RUNS`` or ``POLYGONS`` of ``coco_json``.
        size: (N, 2) int64, height and width that RLE states.
        counts, offsets: the compressed counts of ``COUNTS``: (B,) uint8 and (N + 1,) int64; empty
            for the rest.
        runs: int64 run lengths of ``RUNS``.
        polygons: how many coordinates each polygon of ``POLYGONS`` has, int32.
        points: (V,) float64, the coordinates of all polygons.
        malformed: record to what is wrong with its segmentation, whatever size its image has; its
            shape is ``NONE``.
        malformed_counts: record to what is wrong with its counts; its shape is ``COUNTS``.
    """

    shape: NDArray[np.uint8]
    size: NDArray[np.int64]
    counts: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    runs: Lists
    polygons: Lists
    points: NDArray[np.float64]
    malformed: Mapping[int, str] = field(default_factory=dict)
    malformed_counts: Mapping[int, str] = field(default_factory=dict)

    def take(self, kept: NDArray[np.bool_]) -> Shapes:
        """Those of the records that are kept; the rest get none."""
        if kept.all():
            return self
        polygons = np.repeat(kept, self.polygons.lengths)
        lengths = np.where(kept, np.diff(self.offsets), 0)
        return Shapes(
            np.where(kept, self.shape, np.uint8(NONE)),
            self.size,
            self.counts[np.repeat(kept, np.diff(self.offsets))],
            np.concatenate([[0], np.cumsum(lengths)]),
            _kept(self.runs, kept),
            _kept(self.polygons, kept),
            self.points[np.repeat(polygons, self.polygons.items)],
            {row: problem for row, problem in self.malformed.items() if kept[row]},
            {row: problem for row, problem in self.malformed_counts.items() if kept[row]},
        )


def no_shapes(rows: int) -> Shapes:
    """Rows without segmentation."""
    none = np.zeros(rows, np.int32)
    return Shapes(
        shape=np.zeros(rows, np.uint8),
        size=np.zeros((rows, 2), np.int64),
        counts=np.zeros(0, np.uint8),
        offsets=np.zeros(rows + 1, np.int64),
        runs=Lists(np.zeros(0, np.int64), none),
        polygons=Lists(np.zeros(0, np.int32), none),
        points=np.zeros(0),
    )


def shapes_of_values(values: Sequence[Any]) -> Shapes:
    """Segmentations as ``json`` makes them, or the same of NumPy arrays and bytes."""
    count = len(values)
    shape, size = np.zeros(count, np.uint8), np.zeros((count, 2), np.int64)
    counts: list[bytes] = [b""] * count
    runs: list[list[int]] = [[]] * count
    polygons: list[Sequence[Any]] = [[]] * count
    malformed: dict[int, str] = {}
    malformed_counts: dict[int, str] = {}
    for row, value in enumerate(values):
        if isinstance(value, (list, tuple, np.ndarray)):
            shape[row] = POLYGONS
            polygons[row] = list(value)
        elif isinstance(value, Mapping):
            try:
                size[row] = _size(value.get("size"))
            except ValueError as error:
                malformed[row] = str(error)
                continue
            shape[row], stated = COUNTS, value.get("counts")
            try:
                if isinstance(stated, list):
                    runs[row] = [integer(run) for run in stated]
                    shape[row] = RUNS
                else:
                    counts[row] = _bytes(stated)
            except ValueError as error:
                malformed_counts[row] = f"is malformed: {error}"
        elif value is not None:
            malformed[row] = f"is {shown(value)}, neither polygons nor RLE"
    converted, points = _polygons(polygons, malformed)
    shape[list(malformed)] = NONE
    return Shapes(
        shape,
        size,
        np.frombuffer(b"".join(counts), np.uint8),
        np.cumsum([0, *map(len, counts)], dtype=np.int64),
        Lists(np.array(list(chain.from_iterable(runs)), np.int64), _lengths(runs)),
        converted,
        points,
        dict(sorted(malformed.items())),
        malformed_counts,
    )


def _polygons(
    polygons: Sequence[Sequence[Any]], malformed: dict[int, str]
) -> tuple[Lists, NDArray[np.float64]]:
    """How many coordinates each polygon has, and all coordinates.

    Args:
        polygons: those of each record.
        malformed: is told of records whose polygons are none; they get none.
    """
    flat: list[Any] = list(chain.from_iterable(polygons))
    if set(map(type, flat)) <= {list, tuple}:
        numbers = list(chain.from_iterable(flat))
        if set(map(type, numbers)) <= {int, float}:
            try:
                points = np.array(numbers, np.float64)
            except OverflowError:
                pass
            else:
                return Lists(_lengths(flat), _lengths(polygons)), points
    converted: list[list[list[float]]] = []
    for row, of_record in enumerate(polygons):
        try:
            converted.append([_polygon(polygon) for polygon in of_record])
        except ValueError as error:
            malformed[row] = f"has a polygon that {error}"
            converted.append([])
    flat = list(chain.from_iterable(converted))
    points = np.array(list(chain.from_iterable(flat)), np.float64)
    return Lists(_lengths(flat), _lengths(converted)), points


def _size(value: Any) -> list[int]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError(f"has a size that is {shown(value)}, not [height, width]")
    try:
        return [integer(side) for side in value]
    except ValueError as error:
        raise ValueError(f"has a size that {error}") from None


def _bytes(counts: Any) -> bytes:
    if isinstance(counts, str):
        return counts.encode("ascii")
    if not isinstance(counts, bytes):
        raise ValueError(f"counts are {shown(counts)}, neither string nor list")
    return counts


def _polygon(value: Any) -> list[float]:
    """The coordinates; whether they are finite is seen when they are rasterised."""
    if not isinstance(value, (list, tuple, np.ndarray)):
        raise ValueError(f"is {shown(value)}, not a list of numbers")
    try:
        return [any_number(item) for item in value]
    except ValueError as error:
        raise ValueError(f"holds a value that {error}") from None


def _lengths(lists: Sequence[Sequence[Any]]) -> NDArray[np.int32]:
    return np.array([len(each) for each in lists], np.int32)


def _kept(lists: Lists, kept: NDArray[np.bool_]) -> Lists:
    lengths = np.where(kept, lists.lengths, np.int32(0))
    return Lists(lists.items[np.repeat(kept, lists.lengths)], lengths)
