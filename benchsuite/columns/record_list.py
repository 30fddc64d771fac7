"""Lists of JSON objects as columns, with errors that name the record.

A column is made in one go where all values are of the plain types that ``json`` makes. Anything
else is looked at record by record, which takes NumPy's scalars and arrays too and names the first
record that is wrong.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from numbers import Real
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchsuite.columns.json_file import json_type
from benchsuite.errors import InputError

T = TypeVar("T")

_INT64 = np.iinfo(np.int64)


@dataclass(frozen=True, slots=True)
class RecordNames:
    """How messages name the records of a list: ``annotations[3] (id 17)``.

    Attributes:
        name: of the list.
        ids: the records' ``id`` fields, ``None`` where there is none.
        file: the file they are from.
    """

    name: str
    ids: Sequence[Any]
    file: object | None

    def __getitem__(self, index: int) -> str:
        identity = self.ids[index]
        suffix = "" if identity is None else f" (id {identity!r})"
        return f"{self.name}[{index}]{suffix}"

    def error(
        self, index: int | np.integer[Any], problem: str, remedy: str | None = None
    ) -> InputError:
        """The error that a record has this problem."""
        return InputError(problem, file=self.file, record=self[int(index)], remedy=remedy)


class RecordList:
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

    def integers(self, field: str, default: int | None = None) -> NDArray[np.int64]:
        """(N,) int64; a missing field gets the default, or is an error where there is none."""
        values = self._filled(field, default)
        if set(map(type, values)) <= {int}:
            try:
                return np.array(values, np.int64)
            except OverflowError:
                pass
        return np.array(self._each(field, values, integer), np.int64)

    def flags(self, field: str, default: bool) -> NDArray[np.bool_]:
        """(N,) bool of booleans or integers; a missing field gets the default."""
        return np.array(self._each(field, self._filled(field, default), flag), np.bool_)

    def referred(
        self, field: str, ids: NDArray[np.int64], known: Sequence[int], where: str
    ) -> NDArray[np.int64]:
        """(N,) the place among ``known`` of each record's id; ``where`` is what those are called.

        Raises:
            InputError: an id is not among them.
        """
        order = np.argsort(np.array(known, np.int64), kind="stable")
        ascending = np.array(known, np.int64)[order]
        places = np.searchsorted(ascending, ids)
        found = places < len(ascending)
        found[found] = ascending[places[found]] == ids[found]
        if not found.all():
            first = found.argmin()
            raise self.names.error(first, f"{field} {ids[first]} is not among the {where}")
        return np.asarray(order[places], np.int64)

    def numbers(self, field: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Finite numbers: (N,) float64 (zero where the field is missing) and (N,) whether it is."""
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
                if np.isfinite(numbers).all():
                    return numbers, present
        numbers[present] = np.array(self._each(field, values, number), np.float64)
        return numbers, present

    def required_numbers(self, field: str) -> NDArray[np.float64]:
        """(N,) float64, finite; a missing field is an error."""
        numbers, present = self.numbers(field)
        if not present.all():
            raise self.names.error(present.argmin(), f"the field {field!r} is missing")
        return numbers

    def boxes(self, field: str = "bbox") -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Boxes ``(x, y, width, height)``: (N, 4) float64, finite, width and height not negative.

        Returns:
            The boxes (zeros where the field is missing) and (N,) whether it is there.
        """
        values = self.values(field)
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
                    if np.isfinite(boxes).all() and (boxes[:, 2:] >= 0).all():
                        return boxes, present
        boxes[present] = np.array(self._each(field, values, box), np.float64).reshape(-1, 4)
        return boxes, present

    def unique_ids(self) -> NDArray[np.int64]:
        """(N,) int64, the field ``id``. Raises ``InputError`` where two records share one."""
        ids = self.integers("id")
        order = np.argsort(ids, kind="stable")
        repeated = np.flatnonzero(np.diff(ids[order]) == 0)
        if len(repeated):
            first, second = order[repeated[0]], order[repeated[0] + 1]
            raise self.names.error(second, f"has the same id as {self.names.name}[{first}]")
        return ids

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


def integer(value: Any) -> int:
    """An integer of 64 bits; 42.0 is one. Raises ``ValueError`` saying what the value is."""
    try:
        if isinstance(value, bool):
            raise TypeError
        whole = isinstance(value, float) and value.is_integer()
        converted = int(value) if whole else operator.index(value)
    except TypeError:
        raise ValueError(f"is {shown(value)}, not an integer") from None
    if not _INT64.min <= converted <= _INT64.max:
        raise ValueError(f"is {converted}, which does not fit 64 bits")
    return converted


def flag(value: Any) -> bool:
    """A boolean, as such or as an integer. Raises ``ValueError`` saying what the value is."""
    return bool(value) if isinstance(value, (bool, np.bool_)) else integer(value) != 0


def number(value: Any) -> float:
    """A finite number. Raises ``ValueError`` saying what the value is instead."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"is {shown(value)}, not a number")
    try:
        converted = float(value)
    except OverflowError:
        raise ValueError("is too large for a number") from None
    if not np.isfinite(converted):
        raise ValueError(f"is {converted}, not a finite number")
    return converted


def number_list(value: Any) -> list[float]:
    """A list of finite numbers. Raises ``ValueError`` saying what is wrong with it."""
    if not isinstance(value, (list, tuple, np.ndarray)):
        raise ValueError(f"is {shown(value)}, not a list of numbers")
    try:
        return [number(item) for item in value]
    except ValueError as error:
        raise ValueError(f"holds a value that {error}") from None


def box(value: Any) -> list[float]:
    """A box ``[x, y, width, height]``. Raises ``ValueError`` saying what is wrong with it."""
    numbers = number_list(value)
    if len(numbers) != 4:
        raise ValueError(f"has {len(numbers)} numbers, not 4 (x, y, width, height)")
    if numbers[2] < 0 or numbers[3] < 0:
        raise ValueError(f"is {numbers}: its width or height is negative")
    return numbers


def text(value: Any) -> str:
    """A string. Raises ``ValueError`` saying what the value is instead."""
    if not isinstance(value, str):
        raise ValueError(f"is {shown(value)}, not a string")
    return value


def shown(value: Any) -> str:
    """A value as messages show it: its JSON type and its beginning."""
    kind = json_type(value)
    if value is None:
        return kind
    beginning = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:57]}..."
    return f"{'an' if kind[0] in 'ao' else 'a'} {kind} ({beginning})"
