"""Overlaps of rotated boxes in NumPy: what the C++ kernel is held against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

PAIRS_AT_ONCE = 1 << 18


def overlapping(
    detections: _Floats,
    truths: _Floats,
    crowd: NDArray[np.bool_],
    order: _Ints,
    first: _Ints,
    stop: _Ints,
    least: float,
) -> tuple[_Ints, _Ints, _Floats]:
    """The pairs that overlap by ``least`` or more.

    Args:
        detections, truths: (N, 8) and (G, 8), see ``rotated_iou._prepared``.
        crowd: (G,).
        order: (G,) rows of the truths, those of a group together, ascending.
        first, stop: (N,) where in ``order`` the truths of each detection's group are.

    Returns:
        ``starts`` (N + 1,), ``truths`` (P,) and ``values`` (P,) of ``GivenOverlaps``.
    """
    counts = stop - first
    starts, rows, values = np.zeros(len(detections) + 1, np.int64), [], []
    for begin, end in _parts(counts):
        of_part = counts[begin:end]
        before = np.cumsum(of_part) - of_part
        within = np.arange(of_part.sum()) - np.repeat(before, of_part)
        pair_truths = order[np.repeat(first[begin:end], of_part) + within]
        pair_detections = np.repeat(np.arange(begin, end), of_part)
        overlaps = pair_overlaps(
            detections[pair_detections], truths[pair_truths], crowd[pair_truths]
        )
        found = np.flatnonzero(overlaps >= least)
        starts[1:] += np.bincount(pair_detections[found], minlength=len(detections))
        rows.append(pair_truths[found])
        values.append(overlaps[found])
    return np.cumsum(starts), _joined(rows, np.int64), _joined(values, np.float64)


def _parts(counts: _Ints) -> list[tuple[int, int]]:
    """Stretches of detections with about as many pairs as are looked at at once."""
    before = np.cumsum(counts) - counts
    steps = np.arange(0, counts.sum() + 1, PAIRS_AT_ONCE)
    cuts = np.unique(np.append(np.searchsorted(before, steps), len(counts)))
    return list(zip(cuts[:-1].tolist(), cuts[1:].tolist()))


def _joined(parts: list[NDArray], dtype: type) -> NDArray:
    return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype)


def pair_overlaps(detections: _Floats, truths: _Floats, crowd: NDArray[np.bool_]) -> _Floats:
    """(P,) overlaps of P pairs: (P, 8), (P, 8) and (P,) to (P,)."""
    x, y, cosine, sine, half_width, half_height, reach_x, reach_y = detections.T
    (
        truth_x,
        truth_y,
        truth_cosine,
        truth_sine,
        truth_half_width,
        truth_half_height,
        truth_reach_x,
        truth_reach_y,
    ) = truths.T
    offset_x, offset_y = truth_x - x, truth_y - y
    apart = (np.abs(offset_x) > reach_x + truth_reach_x) | (
        np.abs(offset_y) > reach_y + truth_reach_y
    )
    flat = (
        (half_width <= 0) | (half_height <= 0) | (truth_half_width <= 0) | (truth_half_height <= 0)
    )
    # The truth in the detection's frame: its centre, and half its sides along and across.
    centre_x = cosine * offset_x - sine * offset_y
    centre_y = sine * offset_x + cosine * offset_y
    turn_cosine = cosine * truth_cosine + sine * truth_sine
    turn_sine = cosine * truth_sine - sine * truth_cosine
    along_x, along_y = turn_cosine * truth_half_width, -(turn_sine * truth_half_width)
    down_x, down_y = turn_sine * truth_half_height, turn_cosine * truth_half_height
    corners = [
        (centre_x - along_x - down_x, centre_y - along_y - down_y),
        (centre_x + along_x - down_x, centre_y + along_y - down_y),
        (centre_x + along_x + down_x, centre_y + along_y + down_y),
        (centre_x - along_x + down_x, centre_y - along_y + down_y),
    ]
    total = np.zeros(len(x))
    for place in range(4):
        total = total + _below_edge(
            *corners[place], *corners[(place + 1) % 4], half_width, half_height
        )
    area = 4 * (half_width * half_height)
    truth_area = 4 * (truth_half_width * truth_half_height)
    # Rounding must not make the shared part larger than either.
    shared = np.minimum(np.abs(total), np.minimum(area, truth_area))
    with np.errstate(divide="ignore", invalid="ignore"):
        overlaps = shared / np.where(crowd, area, area + truth_area - shared)
    return np.where(apart | flat, 0.0, overlaps)


def _below_edge(
    x: _Floats,
    y: _Floats,
    end_x: _Floats,
    end_y: _Floats,
    half_width: _Floats,
    half_height: _Floats,
) -> _Floats:
    """Signed area between an edge and the x axis, the edge's x and y clipped to the half sides."""
    left, right = (np.minimum(np.maximum(each, -half_width), half_width) for each in (x, end_x))
    with np.errstate(divide="ignore", invalid="ignore"):
        run, rise = end_x - x, end_y - y
        first, last = y + (left - x) / run * rise, y + (right - x) / run * rise
        low, high = np.minimum(first, last), np.maximum(first, last)
        top, bottom = half_height, -half_height
        inner_low = np.minimum(np.maximum(low, bottom), top)
        inner_high = np.minimum(np.maximum(high, bottom), top)
        beneath = np.minimum(high, bottom) - np.minimum(low, bottom)
        above = np.maximum(high, top) - np.maximum(low, top)
        inside = (inner_high - inner_low) * (inner_high + inner_low) / 2
        sloped = (above * top - beneath * half_height + inside) / (high - low)
    height = np.where(high > low, sloped, inner_low)
    return np.where(left == right, 0.0, (right - left) * height)
