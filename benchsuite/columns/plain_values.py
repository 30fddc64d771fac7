"""Values that ``json`` (or NumPy) makes, as plain numbers and strings, or what is wrong with them.

Each function raises ``ValueError`` with a clause that goes on from the field's name: ``"is a string
('7'), not an integer"``.
"""

from __future__ import annotations

import operator
from numbers import Real
from typing import Any

import numpy as np

from benchsuite.columns.json_file import json_type

_INT64 = np.iinfo(np.int64)


def integer(value: Any) -> int:
    """An integer of 64 bits; 42.0 is one."""
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
    """A boolean, as such or as an integer."""
    return bool(value) if isinstance(value, (bool, np.bool_)) else integer(value) != 0


def any_number(value: Any) -> float:
    """A number, or NaN, or infinite."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"is {shown(value)}, not a number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("is too large for a number") from None


def number(value: Any) -> float:
    """A finite number."""
    converted = any_number(value)
    if not np.isfinite(converted):
        raise ValueError(f"is {converted}, not a finite number")
    return converted


def number_list(value: Any) -> list[float]:
    """A list of finite numbers."""
    if not isinstance(value, (list, tuple, np.ndarray)):
        raise ValueError(f"is {shown(value)}, not a list of numbers")
    try:
        return [number(item) for item in value]
    except ValueError as error:
        raise ValueError(f"holds a value that {error}") from None


def four_numbers(value: Any) -> list[float]:
    """``[x, y, width, height]``."""
    numbers = number_list(value)
    if len(numbers) != 4:
        raise ValueError(f"has {len(numbers)} numbers, not 4 (x, y, width, height)")
    return numbers


def box(value: Any) -> list[float]:
    """A box ``[x, y, width, height]``."""
    numbers = four_numbers(value)
    if numbers[2] < 0 or numbers[3] < 0:
        raise ValueError(f"is {numbers}: its width or height is negative")
    return numbers


def rotated_box(value: Any) -> list[float]:
    """A rotated box ``[centre x, centre y, width, height, angle]``."""
    numbers = number_list(value)
    if numbers[2] < 0 or numbers[3] < 0:
        raise ValueError(f"is {numbers}: its width or height is negative")
    return numbers


def text(value: Any) -> str:
    """A string."""
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
