"""Overlaps of rotated boxes, pair by pair: what ``GivenOverlaps`` matches detections by.

The overlap is intersection over union of the two rectangles as they are drawn, in float64; for a
crowd truth the intersection over the detection's area. (Detectron2's ``pairwise_iou_rotated`` is in
float32 and widens its comparisons by 1e-5, so that its values are off by up to about 1e-4.)

A truth is turned into the frame in which the detection lies along the axes, round the origin. What
of it is inside follows from its edges: each bounds, with the x axis, an area that is clipped to the
detection's height; the signed sum of the four is the intersection.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns.overlaps import GivenOverlaps, require
from benchsuite_kernels.columns.rotated_boxes import cosine_and_sine
from benchsuite_kernels.dispatch import native, tally

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


def rotated_iou(
    detections: _Floats,
    truths: _Floats,
    *,
    detection_groups: _Ints,
    truth_groups: _Ints,
    crowd: NDArray[np.bool_] | None = None,
    least: float,
    threads: int,
) -> GivenOverlaps:
    """The pairs of one group that overlap enough, and their overlaps.

    Args:
        detections: (N, 5) float64, rotated boxes as in ``rotated_boxes``. One without an area
            overlaps nothing.
        truths: (G, 5) float64, likewise.
        detection_groups: (N,) int64, any numbers.
        truth_groups: (G,) int64; rows of the same number are compared.
        crowd: (G,) bool; ``None``: no truth is a crowd.
        least: the least overlap that counts, above 0.
        threads: how many to use at most; the outcome does not depend on it.

    Returns:
        Each pair that overlaps by ``least`` or more.

    Raises:
        ValueError: an array has another dtype or shape than it should, a box holds a number that is
            not finite, or ``least`` is no number above 0.
    """
    n, g = len(detections), len(truths)
    crowd = np.zeros(g, np.bool_) if crowd is None else crowd
    require("detections", detections, np.float64, (n, 5))
    require("truths", truths, np.float64, (g, 5))
    require("detection_groups", detection_groups, np.int64, (n,))
    require("truth_groups", truth_groups, np.int64, (g,))
    require("crowd", crowd, np.bool_, (g,))
    if not least > 0:
        raise ValueError(f"the least overlap that counts is {least}, not above 0")
    sides = [_prepared("detections", detections), _prepared("truths", truths)]
    order = np.argsort(truth_groups, kind="stable")
    ascending = truth_groups[order]
    first = np.searchsorted(ascending, detection_groups, side="left")
    stop = np.searchsorted(ascending, detection_groups, side="right")
    extension = native()
    if extension is None:
        from benchsuite_kernels.columns import rotated_iou_reference

        tally("rotated_iou", "reference")
        found = rotated_iou_reference.overlapping(*sides, crowd, order, first, stop, least)
    else:
        tally("rotated_iou", "c++")
        found = extension.rotated_iou.overlapping(*sides, crowd, order, first, stop, least, threads)
    return GivenOverlaps(*found)


def _prepared(name: str, boxes: _Floats) -> _Floats:
    """(N, 8): centre, cosine and sine, half the sides, half the sides of the upright box round it.

    Made here, once a box: cosines are not the same to the last bit in every library.
    """
    strange = np.flatnonzero(~np.isfinite(boxes).all(axis=1))
    if len(strange):
        raise ValueError(f"{name}[{strange[0]}] holds a number that is not finite")
    cosine, sine = cosine_and_sine(boxes[:, 4])
    half_width, half_height = boxes[:, 2] / 2, boxes[:, 3] / 2
    return np.column_stack(
        [
            boxes[:, :2],
            cosine,
            sine,
            half_width,
            half_height,
            np.abs(cosine) * half_width + np.abs(sine) * half_height,
            np.abs(sine) * half_width + np.abs(cosine) * half_height,
        ]
    )
