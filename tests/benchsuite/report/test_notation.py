"""How numbers are written."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from benchsuite.report import notation


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf, -math.inf, -1, -1.0, "0.5", True])
def test_what_cannot_be_measured_is_no_number(nothing: object) -> None:
    assert notation.measurable(nothing) is None


@pytest.mark.parametrize("number", [0, 0.0, 0.5, 1, -0.5, -2])
def test_what_can_be_measured_is_kept(number: float) -> None:
    assert notation.measurable(number) == number


def test_fractions_are_points_and_other_units_stay() -> None:
    assert notation.scale_of([0.0, 0.4, 1.0, None]) == 100
    assert notation.scale_of([0.4, 1.2]) == 1
    assert notation.scale_of([-0.4]) == 1
    assert notation.scale_of([]) == 100


@pytest.mark.parametrize(
    ("number", "scale", "decimals", "written"),
    [
        (0.5045806987249628, 100, 1, "50.5"),
        (0.41021, 100, 2, "41.02"),
        (0.0, 100, 1, "0.0"),
        (1.0, 100, 1, "100.0"),
        (None, 100, 1, "–"),
        (12.3456, 1, 1, "12.35"),
        (-0.25, 1, 1, "−0.25"),
        (1234567.0, 1, 1, "1,234,567"),
    ],
)
def test_values(number: float | None, scale: int, decimals: int, written: str) -> None:
    assert notation.value(number, scale, decimals) == written


@pytest.mark.parametrize(
    ("number", "written"),
    [(0.00021, "0.0"), (-0.00021, "0.0"), (0.0016, "+0.2"), (-0.0016, "−0.2"), (None, "–")],
)
def test_differences_have_a_sign_unless_they_round_to_zero(
    number: float | None, written: str
) -> None:
    assert notation.difference(number) == written


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (2.1, "2.10"),
        (9.994, "9.99"),
        (9.996, "10.0"),
        (18.42, "18.4"),
        (99.96, "100"),
        (1250.4, "1,250"),
        (None, "–"),
    ],
)
def test_milliseconds_have_three_digits(number: float | None, written: str) -> None:
    assert notation.milliseconds(number) == written


def test_counts_and_dates() -> None:
    assert notation.count(118287) == "118,287"
    assert notation.count(None) == notation.text(None) == notation.text("") == "–"
    assert notation.millions(44_396_072) == "44.4 M"
    assert notation.millions(9_999) == "10.0 k"
    assert notation.date(datetime(2025, 3, 1, 23, 59, tzinfo=UTC)) == "2025-03-01"
    assert notation.date(None) == "–"


@pytest.mark.parametrize(
    ("number", "scale", "largest", "share"),
    [(0.41, 100, 0.5, 41.0), (1.2, 100, 1.2, 100.0), (6.0, 1, 8.0, 75.0), (None, 100, 1.0, None)],
)
def test_a_bar_shows_points_of_a_hundred_or_a_part_of_the_largest(
    number: float | None, scale: int, largest: float, share: float | None
) -> None:
    assert notation.share(number, scale, largest) == share
