"""Pairs that overlap, in NumPy: what the C++ kernel is held against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns.overlaps import Floats, Overlaps, Rows
from benchsuite_kernels.columns.overlaps_reference import overlap_matrix


def overlapping_pairs(
    detection_groups: Rows,
    truth_groups: Rows,
    overlaps: Overlaps,
    crowd: NDArray[np.bool_],
    least: float,
) -> tuple[Rows, Rows, Floats]:
    """See ``overlapping_pairs.overlapping_pairs``: starts, truths and values."""
    rows: list[Rows] = [np.zeros(0, np.int64)]
    truths: list[Rows] = [np.zeros(0, np.int64)]
    values: list[Floats] = [np.zeros(0)]
    for group in np.intersect1d(detection_groups, truth_groups):
        of_detections = np.flatnonzero(detection_groups == group)
        of_truths = np.flatnonzero(truth_groups == group)
        matrix = overlap_matrix(overlaps, of_detections, of_truths, crowd[of_truths])
        found = np.nonzero(matrix >= least)
        rows.append(of_detections[found[0]])
        truths.append(of_truths[found[1]])
        values.append(matrix[found])
    all_rows = np.concatenate(rows)
    order = np.argsort(all_rows, kind="stable")
    counts = np.bincount(all_rows, minlength=len(detection_groups))
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return starts, np.concatenate(truths)[order], np.concatenate(values)[order]
