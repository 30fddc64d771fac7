"""Records in an Arrow table: the store's own, or any whose columns can be understood.

Ids, scores, areas and flags are columns of numbers (or booleans). ``bbox`` (x, y, width, height) is
a column of lists, or four columns ``x``, ``y``, ``width`` (or ``w``) and ``height`` (or ``h``).
``segmentation`` is a struct of ``size`` and ``counts`` (bytes, string or run lengths) or lists of
polygons, ``keypoints`` a column of lists. Null is missing. Further columns are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import (
    binary_to_numpy,
    is_present,
    lists_to_numpy,
    to_numpy,
)
from benchsuite.columns.record_checks import NO_IDS, RecordNames
from benchsuite.columns.record_columns import RecordColumns
from benchsuite.columns.segmentation_shapes import Shapes, no_shapes
from benchsuite.errors import InputError
from benchsuite_kernels.columns.coco_json import COUNTS, NONE, POLYGONS, RUNS, Field, Lists

SIDES = (("x",), ("y",), ("width", "w"), ("height", "h"))
"""Names of the four columns that may hold a box."""


INTEGERS = ("id", "image_id", "category_id", "num_keypoints")
NUMBERS = ("score", "area")
FLAGS = ("iscrowd", "ignore")


class TableRecords:
    """Reads the columns of a table.

    Args:
        table: the records, a row each.
        name: what messages call the list: row 3 is ``"<name>[3]"``.
        file: the file they are from, for messages.
    """

    def __init__(self, table: pa.Table, *, name: str, file: object | None) -> None:
        self._table, self._file = table, file
        self.names = RecordNames(name, NO_IDS, file)

    def records(self) -> RecordColumns:
        """The rows as records.

        Raises:
            InputError: a column is of a type that does not fit, or a row of it holds something else
                than it means.
        """
        fields: dict[str, Field] = {}
        for names, convert in (
            (INTEGERS, self._integers),
            (NUMBERS, self._numbers),
            (FLAGS, self._flags),
        ):
            fields |= {n: self._column(n, convert) for n in names if n in self._table.column_names}
        boxes = self._boxes()
        if boxes is not None:
            fields["bbox"] = boxes
        rows = len(self._table)
        keypoints = Lists(np.zeros(0), np.zeros(rows, np.int32))
        if "keypoints" in self._table.column_names:
            keypoints = self._column("keypoints", self._number_lists)
        shapes = no_shapes(rows)
        if "segmentation" in self._table.column_names:
            shapes = self._column("segmentation", self._shapes)
        return RecordColumns(rows, fields, shapes, keypoints, self.names)

    def places(self) -> NDArray[np.int64]:
        """(N,) each row's place in its file, no two alike: its ``prediction``, or its number."""
        if "prediction" not in self._table.column_names:
            return np.arange(len(self._table))
        found = self._column("prediction", self._integers)
        if not found.present.all():
            raise self.names.missing(found.present, "prediction")
        order = np.argsort(found.values, kind="stable")
        repeated = np.flatnonzero(np.diff(found.values[order]) == 0)
        if len(repeated):
            first, second = order[repeated[0]], order[repeated[0] + 1]
            raise self.names.error(second, f"has the same 'prediction' as {self.names[first]}")
        return np.asarray(found.values, np.int64)

    def _column(self, name: str, convert: Callable[[str, Any], Any]) -> Any:
        column = self._table[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        try:
            return convert(name, column)
        except (TypeError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError(
                f"the column {name!r} is of type {column.type}, which is not understood",
                file=self._file,
            ) from error

    def _integers(self, name: str, column: Any) -> Field:
        if pa.types.is_null(column.type):
            return Field(np.zeros(len(column), np.int64), np.zeros(len(column), np.bool_))
        if pa.types.is_boolean(column.type):
            raise TypeError
        values, present = to_numpy(column), is_present(column)
        if values.dtype.kind in "fu":
            with np.errstate(invalid="ignore"):
                whole = values.astype(np.int64)
            wrong = np.flatnonzero((whole != values) | (whole < 0) & (values > 0))
            if len(wrong):
                problem = f"the field {name!r} is {values[wrong[0]]}, not an integer of 64 bits"
                raise self.names.error(wrong[0], problem)
            values = whole
        return Field(values.astype(np.int64, copy=False), present)

    def _flags(self, name: str, column: Any) -> Field:
        if pa.types.is_boolean(column.type):
            return Field(to_numpy(column).astype(np.int64), is_present(column))
        return self._integers(name, column)

    def _numbers(self, name: str, column: Any) -> Field:
        if pa.types.is_null(column.type):
            return Field(np.zeros(len(column)), np.zeros(len(column), np.bool_))
        if pa.types.is_boolean(column.type):
            raise TypeError
        return Field(to_numpy(column).astype(np.float64, copy=False), is_present(column))

    def _boxes(self) -> Field | None:
        if "bbox" in self._table.column_names:
            boxes: Field = self._column("bbox", self._four_numbers)
            return boxes
        names = [
            next((name for name in side if name in self._table.column_names), None)
            for side in SIDES
        ]
        if None in names:
            return None
        sides = [self._column(str(name), self._numbers) for name in names]
        for side, name in zip(sides[1:], names[1:]):
            unlike = np.flatnonzero(side.present != sides[0].present)
            if len(unlike):
                raise self.names.error(
                    unlike[0], f"only one of the fields {names[0]!r} and {name!r} is there"
                )
        return Field(np.stack([side.values for side in sides], axis=1), sides[0].present)

    def _four_numbers(self, name: str, column: Any) -> Field:
        lists = self._number_lists(name, column)
        unlike = np.flatnonzero((lists.lengths != 4) & (lists.lengths != 0))
        if len(unlike):
            raise self.names.error(
                unlike[0],
                f"the field {name!r} has {lists.lengths[unlike[0]]} numbers, not 4 (x, y, width,"
                " height)",
            )
        present = lists.lengths == 4
        if present.all():
            return Field(lists.items.reshape(-1, 4), present)
        boxes = np.zeros((len(present), 4))
        boxes[present] = lists.items.reshape(-1, 4)
        return Field(boxes, present)

    def _number_lists(self, name: str, column: Any) -> Lists:
        """Float64 lists; a number that is null becomes NaN."""
        if pa.types.is_null(column.type):
            return Lists(np.zeros(0), np.zeros(len(column), np.int32))
        items, offsets = lists_to_numpy(_of_numbers(column, pa.float64()), missing=np.nan)
        return Lists(items, np.diff(offsets).astype(np.int32))

    def _shapes(self, name: str, column: Any) -> Shapes:
        if pa.types.is_null(column.type):
            return no_shapes(len(column))
        return _rle(column) if pa.types.is_struct(column.type) else _polygons(column)


def _rle(column: Any) -> Shapes:
    """Structs of ``size`` and ``counts``."""
    present, shapes = is_present(column), no_shapes(len(column))
    parts = dict(zip((field.name for field in column.type), column.flatten()))
    if not {"size", "counts"} <= set(parts):
        raise TypeError
    sides, ends = lists_to_numpy(_of_numbers(parts["size"], pa.int64()))
    two = np.diff(ends) == 2
    size = shapes.size
    size[two] = np.stack([sides[ends[:-1][two]], sides[ends[:-1][two] + 1]], axis=1)
    counted = present & two
    lost = np.flatnonzero(counted & ~is_present(parts["counts"])).tolist()
    shapes = replace(
        shapes,
        size=size,
        malformed=dict.fromkeys(np.flatnonzero(present & ~two).tolist(), "has not two sides"),
        malformed_counts=dict.fromkeys(lost, "is malformed: counts are null"),
    )
    if _is_list(parts["counts"].type):
        items, offsets = _only(counted, *lists_to_numpy(_of_numbers(parts["counts"], pa.int64())))
        runs = Lists(items, np.diff(offsets).astype(np.int32))
        return replace(shapes, shape=np.where(counted, np.uint8(RUNS), np.uint8(NONE)), runs=runs)
    counts, offsets = _only(counted, *binary_to_numpy(parts["counts"]))
    shape = np.where(counted, np.uint8(COUNTS), np.uint8(NONE))
    return replace(shapes, shape=shape, counts=counts, offsets=offsets)


def _only(
    kept: NDArray[np.bool_], items: NDArray[Any], offsets: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The lists of rows that are kept; those of the rest become empty."""
    lengths = np.diff(offsets)
    if not lengths[~kept].any():
        return items, offsets
    ends = np.cumsum(np.where(kept, lengths, 0), dtype=np.int64)
    return items[np.repeat(kept, lengths)], np.concatenate([[0], ends])


def _polygons(column: Any) -> Shapes:
    """Lists of polygons; an empty list is none."""
    if not _is_list(column.type) or not _is_list(column.type.value_type):
        raise TypeError
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    lengths = [np.where(is_present(chunk), np.diff(to_numpy(chunk.offsets)), 0) for chunk in chunks]
    inner = pa.chunked_array([chunk.flatten() for chunk in chunks], column.type.value_type)
    points, ends = lists_to_numpy(_of_numbers(inner, pa.float64()), missing=np.nan)
    numbers = np.concatenate([np.zeros(0, np.int32), *lengths]).astype(np.int32)
    return replace(
        no_shapes(len(column)),
        shape=np.where(numbers > 0, np.uint8(POLYGONS), np.uint8(NONE)),
        polygons=Lists(np.diff(ends).astype(np.int32), numbers),
        points=points,
    )


def _is_list(of: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(of) or pa.types.is_large_list(of) or pa.types.is_fixed_size_list(of)
    )


def _of_numbers(column: Any, number: pa.DataType) -> Any:
    """Lists of numbers as lists of this kind of number."""
    of = column.type
    if not _is_list(of) or not (
        pa.types.is_integer(of.value_type) or pa.types.is_floating(of.value_type)
    ):
        raise TypeError
    if of.value_type == number:
        return column
    if pa.types.is_fixed_size_list(of):
        return column.cast(pa.list_(number, of.list_size))
    return column.cast(pa.large_list(number) if pa.types.is_large_list(of) else pa.list_(number))
