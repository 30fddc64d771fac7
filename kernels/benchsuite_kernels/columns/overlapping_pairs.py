"""Which detections and truths overlap, pair by pair, whatever may be matched with what.

What an analysis of mistakes goes by: a detection of the wrong category overlaps a truth too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns.match_arrays import Detections
from benchsuite_kernels.columns.native_overlaps import native_overlaps
from benchsuite_kernels.columns.overlaps import GivenOverlaps, Overlaps, require, require_sides
from benchsuite_kernels.dispatch import native, tally


def overlapping_pairs(
    detection_groups: NDArray[np.int64],
    truth_groups: NDArray[np.int64],
    overlaps: Overlaps,
    *,
    crowd: NDArray[np.bool_] | None = None,
    least: float,
    threads: int,
) -> GivenOverlaps:
    """The pairs of one group that overlap enough.

    Args:
        detection_groups: (N,) int64, any numbers.
        truth_groups: (G,) int64; rows of the same number are compared (those of one image, say).
        overlaps: how they overlap, row for row.
        crowd: (G,) bool, see ``overlaps``; ``None``: no truth is a crowd.
        least: the least overlap that counts, above 0.
        threads: how many to use at most; the outcome does not depend on it.

    Returns:
        Each pair that overlaps by ``least`` or more.

    Raises:
        ValueError: an array has another dtype or shape than it should, ``least`` is no number above
            0, or a mask is malformed.
    """
    n, g = len(detection_groups), len(truth_groups)
    crowd = np.zeros(g, np.bool_) if crowd is None else crowd
    require("detection_groups", detection_groups, np.int64, (n,))
    require("truth_groups", truth_groups, np.int64, (g,))
    require("crowd", crowd, np.bool_, (g,))
    require_sides(overlaps, n, g)
    if not least > 0:
        raise ValueError(f"the least overlap that counts is {least}, not above 0")
    extension = native()
    if extension is None:
        from benchsuite_kernels.columns import overlapping_pairs_reference

        tally("overlapping_pairs", "reference")
        found = overlapping_pairs_reference.overlapping_pairs(
            detection_groups, truth_groups, overlaps, crowd, least
        )
    else:
        tally("overlapping_pairs", "c++")
        detections = Detections(detection_groups, np.zeros(n), np.zeros(n))
        kind, record = native_overlaps(
            extension,
            overlaps,
            detections,
            truth_groups,
            least=least,
            most_detections=max(n, 1),
            threads=threads,
        )
        found = extension.detection_match.overlapping_pairs(
            detection_groups, truth_groups, crowd, kind, record, least, threads
        )
    return GivenOverlaps(*found)
