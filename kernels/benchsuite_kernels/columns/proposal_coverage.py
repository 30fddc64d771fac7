"""How well proposals cover truths, as Detectron2 measures it.

Not COCO's matching: scores only choose which proposals count. Of the pairs of a truth and a
proposal the one with the greatest IoU is taken, then the greatest of what is left of both, and so
on. What comes out is the IoU that each truth is covered with. (Source: Detectron2's
``_evaluate_box_proposals``, after Detectron's ``json_dataset_evaluator``.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns.overlaps import require
from benchsuite_kernels.dispatch import native, tally

_Groups = NDArray[np.int64]
_Boxes = NDArray[np.float32]


def proposal_coverage(
    groups: _Groups,
    scores: NDArray[np.float64],
    boxes: _Boxes,
    truth_groups: _Groups,
    truth_boxes: _Boxes,
    counted: NDArray[np.bool_],
    limits: NDArray[np.int64],
    *,
    threads: int,
) -> NDArray[np.float32]:
    """The IoU that each truth is covered with.

    All arithmetic is in float32, as in Detectron2, to the bit.

    Args:
        groups: (N,) int64, any numbers; rows of the same number are of one image.
        scores: (N,) float64; the best count, of equal ones the earlier row, NaN last.
        boxes: (N, 4) float32, x1, y1, x2, y2.
        truth_groups: (G,) int64.
        truth_boxes: (G, 4) float32, x1, y1, x2, y2.
        counted: (A, G) bool, the truths of each subset, which are covered by themselves.
        limits: (L,) int64, how many proposals of an image count.
        threads: how many to use at most; the outcome does not depend on it.

    Returns:
        (L, A, G) float32; NaN where a truth is not of the subset, or of an image without proposals.

    Raises:
        ValueError: an array has another dtype or shape than it should, or a limit is negative.
    """
    n, g = len(groups), len(truth_groups)
    require("groups", groups, np.int64, (n,))
    require("scores", scores, np.float64, (n,))
    require("boxes", boxes, np.float32, (n, 4))
    require("truth_groups", truth_groups, np.int64, (g,))
    require("truth_boxes", truth_boxes, np.float32, (g, 4))
    require("counted", counted, np.bool_, (len(counted), g))
    require("limits", limits, np.int64, (len(limits),))
    if (limits < 0).any():
        raise ValueError(f"{limits.min()} proposals of an image cannot count")
    extension = native()
    if extension is None:
        from benchsuite_kernels.columns import proposal_coverage_reference

        tally("proposal_coverage", "reference")
        return proposal_coverage_reference.proposal_coverage(
            groups, scores, boxes, truth_groups, truth_boxes, counted, limits
        )
    tally("proposal_coverage", "c++")
    coverage: NDArray[np.float32] = extension.proposal_coverage(
        groups, scores, boxes, truth_groups, truth_boxes, counted, limits, threads
    )
    return coverage
