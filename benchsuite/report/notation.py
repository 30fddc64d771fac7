"""How numbers are written on a page: points, milliseconds, counts, dates.

A value that could not be measured is written as a dash. The store has three spellings of it: null,
NaN, and the -1 that COCO's protocol gives where there is no truth to find.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime

DASH = "–"
MINUS = "−"


def measurable(value: object) -> float | None:
    """The number, or ``None`` where there was nothing to measure (null, NaN, infinity, -1)."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = float(value)
    return number if math.isfinite(number) and number != -1.0 else None


def scale_of(values: Iterable[float | None]) -> int:
    """100 where all values are fractions, which the field writes as points; else 1.

    Metrics are stored unscaled (0 to 1). A metric in other units, an error in pixels say, is
    written as it is.
    """
    known = [value for value in values if value is not None]
    return 100 if all(0 <= value <= 1 for value in known) else 1


def value(number: float | None, scale: int = 100, decimals: int = 1) -> str:
    """A metric's value: ``0.4104`` is ``41.0``."""
    if number is None:
        return DASH
    return f"{scale * number:.{decimals}f}" if scale == 100 else _significant(number)


def share(number: float | None, scale: int, largest: float) -> float | None:
    """How long the bar behind a value is, 0 to 100: the points themselves, where it has points,
    else what part of the largest value it is; ``None``: no bar."""
    if number is None or (scale != 100 and largest <= 0):
        return None
    part = number if scale == 100 else abs(number) / largest
    return round(100 * min(1.0, max(0.0, part)), 1)


def difference(number: float | None, scale: int = 100, decimals: int = 1) -> str:
    """A signed difference of two values; what rounds to zero has no sign."""
    if number is None:
        return DASH
    size = value(abs(number), scale, decimals)
    if float(size) == 0:
        return size
    return f"{'+' if number > 0 else MINUS}{size}"


def milliseconds(number: float | None) -> str:
    """Three significant digits: ``2.10``, ``18.4``, ``199``, ``1,250``."""
    if number is None:
        return DASH
    decimals = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:,.{decimals}f}"


def count(number: float | None) -> str:
    """A whole number with its thousands set apart."""
    return DASH if number is None else f"{number:,.0f}"


def millions(number: float | None) -> str:
    """A number of parameters: ``44,396,072`` is ``44.4 M``."""
    if number is None:
        return DASH
    return f"{number / 1e6:.1f} M" if number >= 1e5 else f"{number / 1e3:.1f} k"


def date(moment: datetime | None) -> str:
    """The day, UTC."""
    return DASH if moment is None else f"{moment:%Y-%m-%d}"


def text(words: object) -> str:
    """Words, or a dash where there are none."""
    return DASH if words is None or words == "" else str(words)


def _significant(number: float) -> str:
    written = f"{number:,.4g}" if abs(number) < 1e4 else f"{number:,.0f}"
    return written.replace("-", MINUS)
