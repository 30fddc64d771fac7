"""Rotated boxes: their corners, and the boxes round quadrilaterals.

A rotated box is ``(centre x, centre y, width, height, angle)``: pixels and degrees. At angle 0 the
width lies along x and the height along y, which points down; a positive angle turns the box
counter-clockwise as it is seen. (Detectron2's convention.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

# Any pair of corners may be an edge of the convex hull. Edges in the order given come first: of
# directions that are equally good, the first is taken.
_PAIRS = np.array([(0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3)])

_NEARLY = 1 + 1e-12


def cosine_and_sine(degrees: _Floats) -> tuple[_Floats, _Floats]:
    """Cosine and sine of angles in degrees; exact at multiples of 90."""
    quarters = np.rint(degrees / 90.0)
    rest = np.deg2rad(degrees - 90.0 * quarters)
    cosine, sine = np.cos(rest), np.sin(rest)
    turns = np.mod(quarters, 4.0)
    swapped, negative_cosine = (turns == 1) | (turns == 3), (turns == 1) | (turns == 2)
    negative_sine = turns >= 2
    return (
        np.where(negative_cosine, -1.0, 1.0) * np.where(swapped, sine, cosine),
        np.where(negative_sine, -1.0, 1.0) * np.where(swapped, cosine, sine),
    )


def corners(boxes: _Floats) -> _Floats:
    """The corners of rotated boxes.

    Args:
        boxes: (N, 5), finite.

    Returns:
        (N, 4, 2): x and y of what at angle 0 is the upper left, upper right, lower right and lower
        left corner.
    """
    cosine, sine = cosine_and_sine(boxes[:, 4])
    half_width, half_height = boxes[:, 2] / 2, boxes[:, 3] / 2
    across = np.stack([cosine * half_width, -sine * half_width], axis=1)
    down = np.stack([sine * half_height, cosine * half_height], axis=1)
    centre = boxes[:, :2]
    return np.stack(
        [
            centre - across - down,
            centre + across - down,
            centre + across + down,
            centre - across + down,
        ],
        axis=1,
    )


def smallest_boxes(quadrilaterals: _Floats) -> _Floats:
    """The rotated boxes of the smallest area round quadrilaterals.

    A smallest box has a side along an edge of the convex hull (Freeman and Shapira, 1975). The
    width lies along the direction that is nearest to the first edge's, so that a rectangle whose
    corners begin at the upper left keeps their order.

    Args:
        quadrilaterals: (N, 4, 2), x and y of four corners, finite, in any order, convex or not.

    Returns:
        (N, 5), the angle above -180 and up to 180.
    """
    points = np.asarray(quadrilaterals, np.float64).reshape(-1, 4, 2)
    origin = points[:, 0]
    points = points - origin[:, None]
    edges = points[:, _PAIRS[:, 1]] - points[:, _PAIRS[:, 0]]
    lengths = np.hypot(edges[..., 0], edges[..., 1])[..., None]
    along = np.where(lengths > 0, edges / np.where(lengths > 0, lengths, 1.0), [1.0, 0.0])
    beside = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    projected = np.stack([along, beside], axis=2) @ points.transpose(0, 2, 1)[:, None]
    low, high = projected.min(axis=-1), projected.max(axis=-1)
    areas = (high - low).prod(axis=-1)
    best = (areas <= areas.min(axis=1, keepdims=True) * _NEARLY).argmax(axis=1)

    rows = np.arange(len(points))
    along, beside, low, high = (
        along[rows, best],
        beside[rows, best],
        low[rows, best],
        high[rows, best],
    )
    middle, sides = (low + high) / 2, high - low
    centres = origin + middle[:, :1] * along + middle[:, 1:] * beside
    # Of the four directions of the sides, the one nearest to the first edge's.
    first = edges[:, 0]
    forward, sideways = (first * along).sum(axis=1), (first * beside).sum(axis=1)
    turned = np.abs(sideways) > np.abs(forward)
    width_axis = np.where(turned[:, None], beside, along)
    backward = np.where(turned, sideways, forward) < 0
    width_axis = np.where(backward[:, None], -width_axis, width_axis)
    # Not -0.0, whose angle would be -180 where that of 0.0 is 180.
    angles = np.rad2deg(np.arctan2(0.0 - width_axis[:, 1], width_axis[:, 0]))
    sides = np.where(turned[:, None], sides[:, ::-1], sides)
    return np.column_stack([centres, sides, angles])
