"""Lists of JSON objects as columns, with errors that name the record.

A column is made in one go where all values are of the plain types that ``json`` makes. Anything
else is looked at record by record, which takes NumPy's scalars and arrays too and names the first
record that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchsuite.columns.keypoint_column import KeypointColumn
from benchsuite.columns.plain_values import (
    any_number,
    box,
    flag,
    four_numbers,
    integer,
    number,
    rotated_box,
    shown,
    text,
)
from benchsuite.columns.record_checks import CheckedRecords, RecordNames
from benchsuite.columns.segmentation_column import SegmentationColumn
from benchsuite.errors import InputError

T = TypeVar("T")


class RecordList(CheckedRecords):
    """A list of JSON objects of the same kind.

    A field that is null counts as missing, and so does an empty list.

    Args:
        records: the list.
        name: what messages call it: record 3 is ``"<name>[3]"``.
        file: the file it is from, for messages.

    Raises:
        InputError: one of the records is no object.
    """

    def __init__(
        self, records: Sequence[Mapping[str, Any]], *, name: str, file: object | None
    ) -> None:
        if not set(map(type, records)) <= {dict}:
            for index, record in enumerate(records):
                if not isinstance(record, Mapping):
                    raise InputError(
                        f"is {shown(record)}, not an object", file=file, record=f"{name}[{index}]"
                    )
        self.records = records
        self.names = RecordNames(name, [record.get("id") for record in records], file)

    def __len__(self) -> int:
        return len(self.records)

    def values(self, field: str) -> list[Any]:
        """The field of each record, ``None`` where it is missing."""
        values = [record.get(field) for record in self.records]
        if list in set(map(type, values)):
            return [None if type(value) is list and not value else value for value in values]
        return values

    def has(self, field: str) -> NDArray[np.bool_]:
        return _present(self.values(field))

    def integers(self, field: str, default: int | None = None) -> NDArray[np.int64]:
        values = self._filled(field, default)
        if set(map(type, values)) <= {int}:
            try:
                return np.array(values, np.int64)
            except OverflowError:
                pass
        return np.array(self._each(field, values, integer), np.int64)

    def flags(self, field: str, default: bool) -> NDArray[np.bool_]:
        return np.array(self._each(field, self._filled(field, default), flag), np.bool_)

    def numbers(
        self, field: str, *, finite: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        values = self.values(field)
        present = _present(values)
        found = [value for value in values if value is not None]
        numbers = np.zeros(len(values))
        if set(map(type, found)) <= {int, float}:
            try:
                numbers[present] = np.array(found, np.float64)
            except OverflowError:
                pass
            else:
                if not finite or np.isfinite(numbers).all():
                    return numbers, present
        convert = number if finite else any_number
        numbers[present] = np.array(self._each(field, values, convert), np.float64)
        return numbers, present

    def boxes(
        self, field: str = "bbox", *, negative: bool = False
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        values = [None if _has_angle(value) else value for value in self.values(field)]
        present = _present(values)
        found = [value for value in values if value is not None]
        boxes = np.zeros((len(values), 4))
        if set(map(type, found)) <= {list} and set(map(len, found)) <= {4}:
            flat = list(chain.from_iterable(found))
            if set(map(type, flat)) <= {int, float}:
                try:
                    boxes[present] = np.array(flat, np.float64).reshape(-1, 4)
                except OverflowError:
                    pass
                else:
                    if np.isfinite(boxes).all() and (negative or (boxes[:, 2:] >= 0).all()):
                        return boxes, present
        convert = four_numbers if negative else box
        boxes[present] = np.array(self._each(field, values, convert), np.float64).reshape(-1, 4)
        return boxes, present

    def rotated_boxes(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        values = [value if _has_angle(value) else None for value in self.values("bbox")]
        present = _present(values)
        boxes = np.zeros((len(values), 5))
        if present.any():
            boxes[present] = np.array(self._each("bbox", values, rotated_box), np.float64)
        return boxes, present

    def segmentations(self) -> SegmentationColumn:
        return SegmentationColumn.of_values(self.values("segmentation"), self.names)

    def keypoints(self) -> KeypointColumn:
        return KeypointColumn.of_values(self.values("keypoints"), self.names)

    def sides(self, field: str) -> NDArray[np.int64]:
        """(N,) int64, lengths in pixels: at least 1, at most 32 bits."""
        lengths = self.integers(field)
        wrong = np.flatnonzero((lengths < 1) | (lengths > np.iinfo(np.int32).max))
        if len(wrong):
            raise self.names.error(
                wrong[0],
                f"the field {field!r} is {lengths[wrong[0]]}, which is no length in pixels",
            )
        return lengths

    def texts(self, field: str, default: str | None = None) -> list[str]:
        """The strings; a missing field gets the default, or is an error where there is none."""
        return self._each(field, self._filled(field, default), text)

    def _filled(self, field: str, default: Any = None) -> list[Any]:
        values = self.values(field)
        if type(None) not in set(map(type, values)):
            return values
        if default is None:
            first = next(index for index, value in enumerate(values) if value is None)
            raise self.names.error(first, f"the field {field!r} is missing")
        return [default if value is None else value for value in values]

    def _each(self, field: str, values: Sequence[Any], convert: Callable[[Any], T]) -> list[T]:
        """Converts the values that are there; the first that fails is named."""
        converted = []
        for index, value in enumerate(values):
            if value is None:
                continue
            try:
                converted.append(convert(value))
            except ValueError as error:
                raise self.names.error(index, f"the field {field!r} {error}") from None
        return converted


def _present(values: Sequence[Any]) -> NDArray[np.bool_]:
    return np.fromiter((value is not None for value in values), np.bool_, len(values))


def _has_angle(value: Any) -> bool:
    """Whether a box has five numbers."""
    return isinstance(value, (list, tuple, np.ndarray)) and len(value) == 5
