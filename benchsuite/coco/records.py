"""Annotation records as arrays, with errors that name the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.errors import InputError
from benchsuite_kernels.columns import rle
from benchsuite_kernels.columns.overlaps import Masks

Record = dict[str, Any]


def values(records: Sequence[Record], field: str) -> list[Any]:
    """The field of each record.

    Raises:
        InputError: a record lacks it.
    """
    try:
        return [record[field] for record in records]
    except KeyError:
        lacking = next(record for record in records if field not in record)
        raise record_error(lacking, f"the field {field!r} is missing") from None


def numbers(records: Sequence[Record], field: str) -> NDArray[np.float64]:
    """(N,) float64, the field of each record.

    Raises:
        InputError: a record lacks it, or has something else in it.
    """
    found = values(records, field)
    try:
        array = np.array(found, np.float64).reshape(len(records))
        if not np.isnan(array).any():  # NumPy makes NaN of None
            return array
    except (TypeError, ValueError):
        pass
    for record in records:
        try:
            float(record[field])
        except (TypeError, ValueError):
            raise record_error(record, f"{field} is {record[field]!r}, no number") from None
    return np.array([float(number) for number in found])


def number_lists(records: Sequence[Record], field: str, length: int) -> NDArray[np.float64]:
    """(N, length) float64, the lists that the field of each record holds.

    Raises:
        InputError: a record lacks it, or has something else in it.
    """
    found = values(records, field)
    try:
        if set(map(len, found)) <= {length}:
            flat = chain.from_iterable(found)
            return np.fromiter(flat, np.float64, length * len(found)).reshape(-1, length)
    except (TypeError, ValueError):
        pass
    for record in records:
        try:
            if len(record[field]) == length:
                [float(number) for number in record[field]]
                continue
            problem = f"{field} has {len(record[field])} numbers, not {length}"
        except (TypeError, ValueError):
            problem = f"{field} is {record[field]!r}, not {length} numbers"
        raise record_error(record, problem)
    return np.array([np.asarray(item, np.float64) for item in found]).reshape(-1, length)


def masks(records: Sequence[Record]) -> Masks:
    """The ``segmentation`` of each record, which must be compressed RLE.

    Raises:
        InputError: one is none.
    """
    counts, sizes = [], []
    for record, shape in zip(records, values(records, "segmentation")):
        try:
            runs = shape["counts"]
            counts.append(runs if isinstance(runs, bytes) else runs.encode("ascii"))
            height, width = shape["size"]
            sizes.append((int(height), int(width)))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise record_error(record, f"segmentation is malformed: {error}") from None
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum([len(runs) for runs in counts], out=offsets[1:])
    buffer = np.frombuffer(b"".join(counts), np.uint8)
    return Masks(buffer, offsets, np.array(sizes, np.int32).reshape(-1, 2))


def check_masks(records: Sequence[Record]) -> None:
    """Raises ``InputError`` for the first record whose RLE is malformed."""
    for record in records:
        shape: Mapping[str, Any] = record["segmentation"]
        try:
            rle.validate(shape["counts"], tuple(shape["size"]))
        except (TypeError, ValueError) as error:
            raise record_error(record, f"segmentation is malformed: {error}") from None


def record_error(record: Record, problem: str) -> InputError:
    """The error that a record has this problem."""
    kind = "detection" if "score" in record else "annotation"
    return InputError(problem, record=f"{kind} id {record.get('id')!r}")
