"""Polygons cut to a rectangle: what is inside, and how tight it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from benchsuite.training.augmentation.polygon_clipping import clip_to_rectangle

SQUARE = np.array([[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 3.0]])


def area(points: np.ndarray) -> float:
    x, y = points[:, 0], points[:, 1]
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def inside(points: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Even-odd: how many edges a ray to the right of each of (Q, 2) points crosses."""
    a, b = points, np.roll(points, -1, axis=0)
    x, y = where[:, :1], where[:, 1:]
    spans = (a[:, 1] > y) != (b[:, 1] > y)
    with np.errstate(all="ignore"):
        at = a[:, 0] + (y - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
    return (np.where(spans, x < at, False).sum(axis=1) % 2).astype(bool)


def test_a_polygon_inside_stays_as_it_is() -> None:
    (part,) = clip_to_rectangle(SQUARE, 4, 4)
    np.testing.assert_array_equal(part, SQUARE)


@pytest.mark.parametrize("moved", [(4, 0), (0, -3), (3, 0), (-3, 0)])
def test_nothing_is_left_of_a_polygon_outside_or_at_the_edge(moved: tuple[int, int]) -> None:
    assert clip_to_rectangle(SQUARE + moved, 4, 4) == []


def test_a_corner_is_cut_off() -> None:
    (part,) = clip_to_rectangle(SQUARE, 2, 2)
    assert {tuple(point) for point in part} == {(1, 1), (2, 1), (2, 2), (1, 2)}


def test_a_polygon_round_the_rectangle_becomes_the_rectangle() -> None:
    parts = clip_to_rectangle((SQUARE - 2) * 100, 5, 7)
    assert [area(part) for part in parts] == [35]


def test_two_arms_become_two_polygons_without_a_bridge() -> None:
    comb = np.array([[4, 0], [4, 5], [-2, 5], [-2, 4], [3, 4], [3, 1], [-2, 1], [-2, 0]], float)
    parts = clip_to_rectangle(comb, 2.5, 5)
    boxes = sorted((*part.min(axis=0), *part.max(axis=0)) for part in parts)
    assert boxes == [(0, 0, 2.5, 1), (0, 4, 2.5, 5)]


@settings(deadline=None, max_examples=200)
@given(
    hnp.arrays(
        np.float64, st.tuples(st.integers(3, 9), st.just(2)), elements=st.floats(-8, 16, width=32)
    ),
    st.sampled_from([(8.0, 8.0), (3.0, 11.0), (0.5, 6.0)]),
)
def test_what_is_inside_stays_inside_and_no_more(
    points: np.ndarray, size: tuple[float, float]
) -> None:
    parts = clip_to_rectangle(points, *size)
    for part in parts:
        assert len(part) >= 3
        assert (part >= 0).all() and (part <= size).all()
    rng = np.random.default_rng(0)
    where = rng.uniform(0, size, (200, 2))
    found = np.zeros(200, bool)
    for part in parts:
        found ^= inside(part, where)
    wanted = inside(points, where)
    # Rounding decides where a point lies on an edge.
    off = np.flatnonzero(found != wanted)
    assert all(distance(points, where[i]) < 1e-6 for i in off)


def distance(points: np.ndarray, where: np.ndarray) -> float:
    a, b = points, np.roll(points, -1, axis=0)
    along = b - a
    length = np.maximum((along**2).sum(axis=1), 1e-300)
    share = np.clip(((where - a) * along).sum(axis=1) / length, 0, 1)
    return float(np.hypot(*(a + share[:, None] * along - where).T).min())


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_parts_of_a_star_shaped_polygon_are_as_tight_as_their_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 24))
    radii = rng.uniform(4, 30, 24)[:, None]
    points = rng.uniform(0, 20, 2) + radii * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    parts = clip_to_rectangle(points, 20, 20)
    grid = (np.stack(np.meshgrid(*[np.arange(100)] * 2), axis=-1).reshape(-1, 2) + 0.5) / 5
    covered = grid[inside(points, grid)]
    whole = np.concatenate([*parts, np.empty((0, 2))])
    if len(covered):
        # No wider than what is covered, but for slivers between the grid's points.
        assert (whole.min(axis=0) <= covered.min(axis=0)).all()
        assert (whole.max(axis=0) >= covered.max(axis=0)).all()
    assert sum(area(part) for part in parts) == pytest.approx(len(covered) / 25, abs=4)
