"""Matching detections to truths, as COCO's protocol and its kin do it.

Greedy, for each group (an image and a category), IoU threshold and area range by itself: detections
by descending score, each taking of the truths not taken yet the one it overlaps most, where that
reaches the threshold. The outcome is to the bit that of pycocotools' ``COCOeval.evaluateImg``:

* equal scores go by row, the earlier first; a score that is not a number (NaN) comes last;
* of truths that are overlapped equally, the later row is taken;
* a truth that is not ignored is preferred to any that is;
* an overlap reaches a threshold ``t`` from ``min(t, 1 - 1e-10)`` on;
* a truth is ignored where it is said to be, and in area ranges that its area lies outside of; both
  ends belong to a range;
* a detection that takes an ignored truth is ignored; one that takes none is ignored where its own
  area lies outside of the range;
* a crowd truth may be taken by many detections;
* a detection that takes a truth which ``loses_match`` (pycocotools' truth with id 0) counts as one
  that takes none, while the truth counts as taken.

All thresholds and area ranges are matched in one pass and kept as bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns.match_arrays import NEARLY_ONE, Detections, Matches, Truths
from benchsuite_kernels.columns.native_overlaps import native_overlaps
from benchsuite_kernels.columns.overlaps import (
    BoundaryOverlaps,
    BoxOverlaps,
    GivenOverlaps,
    KeypointOverlaps,
    MaskOverlaps,
    Masks,
    Overlaps,
    overlap_pairs,
    require,
    require_sides,
)
from benchsuite_kernels.dispatch import native, tally

__all__ = [
    "BoundaryOverlaps",
    "BoxOverlaps",
    "Detections",
    "GivenOverlaps",
    "KeypointOverlaps",
    "MaskOverlaps",
    "Masks",
    "Matches",
    "Overlaps",
    "Truths",
    "match_detections",
    "overlap_pairs",
]

MOST_THRESHOLDS = 64
"""IoU thresholds that fit the bits of a match."""


def match_detections(
    detections: Detections,
    truths: Truths,
    overlaps: Overlaps,
    *,
    iou_thresholds: NDArray[np.float64],
    area_ranges: NDArray[np.float64],
    most_detections: int,
    threads: int,
    which: bool = False,
) -> Matches:
    """Match the best detections of each group to its truths.

    Args:
        detections: rows in file order, which breaks ties.
        truths: rows in file order, which breaks ties.
        overlaps: how they overlap, row for row.
        iou_thresholds: (T,) float64, at most 64.
        area_ranges: (A, 2) float64, smallest and largest area, in square pixels.
        most_detections: how many of a group count.
        threads: how many to use at most; the outcome does not depend on it.
        which: whether ``Matches.takes`` is wanted too: which truth each detection takes.

    Raises:
        ValueError: an array has another dtype or shape than it should, or does not fit the rest;
            there are too many thresholds, or one that is not a number; a mask is malformed.
    """
    require("iou_thresholds", iou_thresholds, np.float64, (len(iou_thresholds),))
    require("area_ranges", area_ranges, np.float64, (len(area_ranges), 2))
    if not 1 <= len(iou_thresholds) <= MOST_THRESHOLDS:
        raise ValueError(f"{len(iou_thresholds)} IoU thresholds, not 1 to {MOST_THRESHOLDS}")
    if np.isnan(iou_thresholds).any() or np.isnan(area_ranges).any():
        raise ValueError("an IoU threshold or an end of an area range is not a number")
    if most_detections < 0:
        raise ValueError(f"{most_detections} detections of a group cannot count")
    require_sides(overlaps, len(detections), len(truths))
    extension = native()
    if extension is None:
        from benchsuite_kernels.columns import detection_match_reference

        tally("match_detections", "reference")
        return detection_match_reference.match_detections(
            detections, truths, overlaps, iou_thresholds, area_ranges, most_detections, which
        )
    tally("match_detections", "c++")
    kind, record = native_overlaps(
        extension,
        overlaps,
        detections,
        truths.groups,
        least=min(*iou_thresholds, NEARLY_ONE),
        most_detections=most_detections,
        threads=threads,
    )
    found = extension.detection_match.match(
        detections,
        truths,
        kind,
        record,
        iou_thresholds,
        area_ranges,
        most_detections,
        threads,
        which,
    )
    return Matches(*found)
