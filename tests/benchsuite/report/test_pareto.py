"""The Pareto front, by hand and by the definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.report.pareto import pareto_front

# (ms, AP): 1 is slower and worse than 0; 3 is as good as 2 but slower; 5 is the slowest and best.
POINTS = [(10.0, 30.0), (12.0, 29.0), (20.0, 40.0), (25.0, 40.0), (5.0, 10.0), (90.0, 50.0)]


def test_by_hand() -> None:
    assert pareto_front(POINTS) == [4, 0, 2, 5]


def test_by_hand_where_lower_is_better() -> None:
    assert pareto_front(POINTS, higher_is_better=False) == [4]
    assert pareto_front([(10, 5.0), (20, 4.0), (30, 6.0)], higher_is_better=False) == [0, 1]


def test_equal_points_stand_together() -> None:
    assert pareto_front([(10, 30), (10, 30), (10, 29), (9, 20)]) == [3, 0, 1]


@pytest.mark.parametrize(("points", "front"), [([], []), ([(1.0, 1.0)], [0])])
def test_few_points(points: list[tuple[float, float]], front: list[int]) -> None:
    assert pareto_front(points) == front


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=14),
    st.booleans(),
)
def test_by_definition(points: list[tuple[int, int]], higher: bool) -> None:
    def beats(one: tuple[int, int], other: tuple[int, int]) -> bool:
        better = one[1] >= other[1] if higher else one[1] <= other[1]
        return one[0] <= other[0] and better and one != other

    expected = {i for i, p in enumerate(points) if not any(beats(q, p) for q in points)}
    assert set(pareto_front(points, higher_is_better=higher)) == expected
