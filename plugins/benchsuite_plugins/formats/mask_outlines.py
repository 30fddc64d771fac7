"""Outlines of masks: one closed line round all pixels inside, along the pixels' edges.

Rasterised as pycocotools does (``rle.from_polygons``) it gives the mask again, pixel for pixel:
edges along the axes are hit exactly, and a stretch that is walked there and back cancels out. So
one line can go round several parts, and round holes.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def outline(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The outline of a mask.

    Args:
        mask: (H, W).

    Returns:
        (K, 2) x and y of its corners, in pixels from the image's upper left corner; (0, 2) for an
        empty mask.
    """
    loops = _loops(_corners(mask))
    if not loops:
        return np.zeros((0, 2), np.int64)
    # From the first loop's start to each other loop, round it, and back the same way.
    home = loops[0][0]
    line = list(loops[0])
    for loop in loops[1:]:
        line += [home, *loop, loop[0]]
    if len(loops) > 1:
        line.append(home)
    return np.array(line, np.int64)


def _corners(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(C, 2) x and y where the outline turns, by y, then x; twice where two pixels touch there."""
    inside = np.pad(mask, 1).astype(np.int8)
    upper, lower = inside[:-1], inside[1:]
    # Of the four pixels round each point: one or three are inside, or two across from each other.
    odd = (upper[:, :-1] + upper[:, 1:] + lower[:, :-1] + lower[:, 1:]) % 2 == 1
    across = (upper[:, :-1] == lower[:, 1:]) & (upper[:, 1:] == lower[:, :-1])
    across &= upper[:, :-1] != upper[:, 1:]
    rows, columns = np.nonzero(odd | across)
    twice = np.where(across[rows, columns], 2, 1)
    return np.repeat(np.column_stack([columns, rows]), twice, axis=0)


def _loops(corners: NDArray[np.int64]) -> list[list[tuple[int, int]]]:
    """The corners in the order in which the closed lines go through them.

    On every row the first corner is joined to the second, the third to the fourth, and so on; on
    every column likewise.
    """
    across = np.arange(len(corners)) ^ 1
    by_column = np.lexsort((corners[:, 1], corners[:, 0]))
    down = np.empty_like(across)
    down[by_column[0::2]], down[by_column[1::2]] = by_column[1::2], by_column[0::2]
    points = [(x, y) for x, y in corners.tolist()]
    next_across, next_down = across.tolist(), down.tolist()
    unseen = [True] * len(points)
    loops = []
    for start in range(len(points)):
        if not unseen[start]:
            continue
        loop, at = [], start
        while unseen[at]:
            other = next_across[at]
            unseen[at] = unseen[other] = False
            loop += [points[at], points[other]]
            at = next_down[other]
        loops.append([first for first, second in pairwise([*loop, loop[0]]) if first != second])
    return loops
