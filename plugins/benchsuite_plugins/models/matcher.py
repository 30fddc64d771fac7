"""Which ground truth each candidate stands for, by how much they overlap (Ren et al., "Faster
R-CNN", 2015, section 3.1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from benchsuite.errors import UsageError

POSITIVE, NEGATIVE, IGNORED = 1, 0, -1
"""Labels of candidates: they stand for an object, for background, or for neither."""


class Matcher:
    """Labels a candidate by its largest overlap.

    Args:
        thresholds: ascending; a candidate with ``thresholds[i - 1] <= IoU < thresholds[i]`` gets
            ``labels[i]``.
        labels: one more than thresholds.
        low_quality_matches: whether the candidates that overlap an object most of all (ties
            included) are positive however little that is, so that every object has one.

    Raises:
        UsageError: the numbers of thresholds and labels do not fit, a label is unknown, or the
            thresholds do not ascend.
    """

    def __init__(
        self, thresholds: Sequence[float], labels: Sequence[int], low_quality_matches: bool
    ) -> None:
        if len(labels) != len(thresholds) + 1 or not set(labels) <= {POSITIVE, NEGATIVE, IGNORED}:
            raise UsageError(
                f"iou_labels={list(labels)} for iou_thresholds={list(thresholds)}: give one label "
                "more than thresholds, each 0 (background), -1 (ignored) or 1 (object)"
            )
        if not thresholds or any(low > high for low, high in pairwise(thresholds)):
            raise UsageError(f"iou_thresholds={list(thresholds)} do not ascend")
        self.thresholds = tuple(thresholds)
        self.labels = tuple(labels)
        self.low_quality_matches = low_quality_matches

    def __call__(self, overlaps: Tensor) -> tuple[Tensor, Tensor]:
        """Match candidates to objects.

        Args:
            overlaps: (G, M) IoU of each object with each candidate.

        Returns:
            matched: (M,) int64, the object that each candidate overlaps most; 0 without objects.
            labels: (M,) int64, 1, 0 or -1; without objects all get the lowest overlap's label.
        """
        if not len(overlaps):
            nothing = overlaps.new_zeros(overlaps.shape[1], dtype=torch.int64)
            return nothing, nothing + self.labels[0]
        best, matched = overlaps.max(dim=0)
        bounds = torch.tensor(self.thresholds, dtype=best.dtype, device=best.device)
        labels = torch.tensor(self.labels, device=best.device)[
            torch.bucketize(best, bounds, right=True)
        ]
        if self.low_quality_matches:
            most = overlaps.amax(dim=1, keepdim=True)
            # An object that overlaps nothing is not nearest to everything.
            labels[((overlaps == most) & (most > 0)).any(dim=0)] = POSITIVE
        return matched, labels
