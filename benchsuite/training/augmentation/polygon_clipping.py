"""Polygons cut to a rectangle; what is left of one may be several.

The even-odd rule says what is inside. Each of the rectangle's sides cuts in turn: the stretches of
the outline within the side's half-plane are joined along the side, where the inside begins and
ends at every second crossing. Unlike Sutherland and Hodgman's algorithm (1974) this leaves no
bridges along the side, which would widen the boxes of what is left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def clip_to_rectangle(points: Points, width: float, height: float) -> list[Points]:
    """The parts of a polygon within [0, width] x [0, height].

    Args:
        points: (P, 2), x and y; the last is joined to the first.

    Returns:
        Polygons of at least three points; none where the polygon lies outside, or touches the
        rectangle alone.
    """
    parts = [points]
    for axis, bound in ((0, width), (1, height)):
        parts = [cut for part in parts for cut in _half(part, axis, 0.0, 1.0)]
        parts = [cut for part in parts for cut in _half(part, axis, bound, -1.0)]
    return parts


def _half(points: Points, axis: int, bound: float, side: float) -> list[Points]:
    """The parts of a polygon where ``side * (coordinate - bound)`` is above 0."""
    depth = side * (points[:, axis] - bound)
    inside = depth > 0
    if inside.all():
        return [points]
    if not inside.any():
        return []
    following = np.roll(inside, -1)
    # Edge i goes from point i to the next one.
    entries = np.flatnonzero(~inside & following)
    exits = np.flatnonzero(inside & ~following)
    # The stretch that begins at entries[k] ends at the first exit after it, going round.
    exits = np.roll(exits, -int(np.searchsorted(exits, entries[0])))
    edges = np.concatenate([entries, exits])
    crossings = _crossings(points, depth, edges)
    crossings[:, axis] = bound
    partner = np.empty(len(edges), np.int64)
    order = np.argsort(crossings[:, 1 - axis], kind="stable")
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    stretches = [
        _round(points, a + 1, b + 1) for a, b in zip(entries.tolist(), exits.tolist(), strict=True)
    ]
    return _joined(stretches, crossings, partner.tolist())


def _crossings(points: Points, depth: NDArray[np.float64], edges: NDArray[np.int64]) -> Points:
    ends = (edges + 1) % len(points)
    share = depth[edges] / (depth[edges] - depth[ends])
    crossings: Points = points[edges] + share[:, None] * (points[ends] - points[edges])
    return crossings


def _round(points: Points, start: int, stop: int) -> Points:
    """Points ``start`` to ``stop``, past the last one to the first if need be."""
    if start < stop:
        return points[start:stop]
    return np.concatenate([points[start:], points[:stop]])


def _joined(stretches: list[Points], crossings: Points, partner: list[int]) -> list[Points]:
    """Rings of stretches; stretch k goes from crossing k to crossing k + K."""
    count = len(stretches)
    left = set(range(count))
    rings = []
    while left:
        first = at = min(left)
        pieces: list[Points] = []
        while True:
            stretch = at % count
            left.discard(stretch)
            # Where an outline crosses itself, a stretch may have to be gone along backwards.
            forward = at < count
            leaving = at + count if forward else at - count
            pieces += [
                crossings[at : at + 1],
                stretches[stretch] if forward else stretches[stretch][::-1],
                crossings[leaving : leaving + 1],
            ]
            at = partner[leaving]
            if at == first:
                break
        rings.append(np.concatenate(pieces))
    return rings
