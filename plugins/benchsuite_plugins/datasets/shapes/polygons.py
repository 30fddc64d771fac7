"""Outlines in an object's own coordinates, as integers.

A design is written in thousandths of the object's size, x to the right and y down, usually with
its foot at (0, 0). Vertices are kept in 1/64 of that (``FINE``), so that circles stay round in
large objects. Every function returns an (N, 2) int64 array, a simple closed polygon.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from benchsuite_plugins.datasets.shapes.integer_trigonometry import ONE, TURN, cos, sin

IntArray = NDArray[np.int64]

DESIGN = 1000
"""An object's size in design units."""

FINE = 64
"""Vertex units in one design unit."""


def _vertices(points: Sequence[tuple[int, int]]) -> IntArray:
    return np.array(points, dtype=np.int64).reshape(-1, 2)


def polygon(*points: tuple[int, int]) -> IntArray:
    """The polygon through ``points``, in design units."""
    return _vertices(points) * FINE


def rectangle(left: int, top: int, right: int, bottom: int) -> IntArray:
    return polygon((left, top), (right, top), (right, bottom), (left, bottom))


def ellipse(
    x: int,
    y: int,
    radius_x: int,
    radius_y: int,
    *,
    angle: int = 0,
    start: int = 0,
    end: int = TURN,
    vertices: int = 32,
) -> IntArray:
    """An ellipse about (x, y), turned by ``angle``; or its sector from ``start`` to ``end``,
    clockwise, as a chord-closed arc."""
    points = []
    for index in range(vertices + (end - start < TURN)):
        at = start + (end - start) * index // vertices
        across, down = radius_x * FINE * cos(at) // ONE, radius_y * FINE * sin(at) // ONE
        points.append((x * FINE + across, y * FINE + down))
    return turned(_vertices(points), angle, x, y)


def sector(x: int, y: int, radius: int, start: int, end: int, *, tip: tuple[int, int]) -> IntArray:
    """A slice of the disc about (x, y) from one angle to another, pointed at ``tip``."""
    arc = ellipse(x, y, radius, radius, start=start, end=end, vertices=12)
    return np.concatenate([arc, polygon(tip)])


def capsule(
    x0: int, y0: int, x1: int, y1: int, radius: int, end_radius: int | None = None
) -> IntArray:
    """A limb: the hull of a disc at either end (``end_radius`` at the second)."""
    end_radius = radius if end_radius is None else end_radius
    along_x, along_y = x1 - x0, y1 - y0
    length = max(1, isqrt(along_x * along_x + along_y * along_y))
    points = []
    for x, y, r, first in ((x1, y1, end_radius, 768), (x0, y0, radius, 256)):
        for step in range(7):
            at = first + step * 512 // 6
            along, aside = r * FINE * cos(at) // ONE, r * FINE * sin(at) // ONE
            points.append(
                (
                    x * FINE + (along * along_x - aside * along_y) // length,
                    y * FINE + (along * along_y + aside * along_x) // length,
                )
            )
    return _vertices(points)


def rounded_rectangle(left: int, top: int, right: int, bottom: int, radius: int) -> IntArray:
    points = []
    corners = (
        (right - radius, bottom - radius, 0),
        (left + radius, bottom - radius, 256),
        (left + radius, top + radius, 512),
        (right - radius, top + radius, 768),
    )
    for x, y, first in corners:
        for step in range(5):
            at = first + step * 64
            points.append(
                (
                    x * FINE + radius * FINE * cos(at) // ONE,
                    y * FINE + radius * FINE * sin(at) // ONE,
                )
            )
    return _vertices(points)


def star(x: int, y: int, outer: int, inner: int, points: int, *, angle: int = 0) -> IntArray:
    """A star of ``points`` points between two radii, the first pointing to ``angle``."""
    around = []
    for index in range(2 * points):
        at = angle + index * TURN // (2 * points)
        radius = inner if index % 2 else outer
        around.append(
            (x * FINE + radius * FINE * cos(at) // ONE, y * FINE + radius * FINE * sin(at) // ONE)
        )
    return _vertices(around)


def smoothed(vertices: IntArray, rounds: int = 2) -> IntArray:
    """The polygon with its corners cut (Chaikin), which rounds it off."""
    for _ in range(rounds):
        after = np.roll(vertices, -1, axis=0)
        cut = np.stack([(3 * vertices + after) // 4, (vertices + 3 * after) // 4], axis=1)
        vertices = cut.reshape(-1, 2)
    return vertices


def turned(vertices: IntArray, angle: int, x: int = 0, y: int = 0) -> IntArray:
    """The vertices turned clockwise about the design point (x, y)."""
    if angle % TURN == 0:
        return vertices
    centre = np.array([x * FINE, y * FINE], dtype=np.int64)
    across, down = (vertices - centre).T
    s, c = sin(angle), cos(angle)
    turned_x, turned_y = (across * c - down * s) // ONE, (across * s + down * c) // ONE
    return np.stack([turned_x, turned_y], axis=1) + centre
