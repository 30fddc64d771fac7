"""How well proposals cover truths, in NumPy: what the C++ kernel is held against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns.detection_match_reference import counted_detections

_Boxes = NDArray[np.float32]


def proposal_coverage(
    groups: NDArray[np.int64],
    scores: NDArray[np.float64],
    boxes: _Boxes,
    truth_groups: NDArray[np.int64],
    truth_boxes: _Boxes,
    counted: NDArray[np.bool_],
    limits: NDArray[np.int64],
) -> NDArray[np.float32]:
    """See ``proposal_coverage.proposal_coverage``."""
    coverage = np.full((len(limits), *counted.shape), np.nan, np.float32)
    order, _ = counted_detections(groups, scores, len(groups))
    ascending = groups[order]
    for group in np.intersect1d(ascending, truth_groups):
        first, last = (np.searchsorted(ascending, group, side) for side in ("left", "right"))
        truths = np.flatnonzero(truth_groups == group)
        ious = _ious(boxes[order[first:last]], truth_boxes[truths])
        for place, limit in enumerate(limits.tolist()):
            for subset, of_subset in enumerate(counted[:, truths]):
                coverage[place, subset, truths[of_subset]] = _covered(ious[:limit, of_subset])
    return coverage


def _ious(boxes: _Boxes, truths: _Boxes) -> NDArray[np.float32]:
    """(P, M) IoU."""
    low = np.maximum(boxes[:, None, :2], truths[:, :2])
    sides = np.maximum(np.minimum(boxes[:, None, 2:], truths[:, 2:]) - low, np.float32(0))
    common = sides[..., 0] * sides[..., 1]
    areas, truth_areas = (
        (each[:, 2] - each[:, 0]) * (each[:, 3] - each[:, 1]) for each in (boxes, truths)
    )
    with np.errstate(all="ignore"):
        ious = common / (areas[:, None] + truth_areas - common)
    return np.where(common > 0, ious, np.float32(0)).astype(np.float32)


def _covered(ious: NDArray[np.float32]) -> NDArray[np.float32]:
    """(M,) the IoU of each truth with the proposal that covers it; 0 where none is left for it."""
    ious = ious.copy()
    covered = np.zeros(ious.shape[1], np.float32)
    for _ in range(min(ious.shape)):
        proposals = ious.argmax(axis=0)
        truth = ious.max(axis=0).argmax()
        covered[truth] = ious[proposals[truth], truth]
        ious[proposals[truth]] = -1
        ious[:, truth] = -1
    return covered
