"""Which ground truth each candidate stands for, by how much they overlap (Ren et al., "Faster
R-CNN", 2015, section 3.1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from benchsuite.errors import UsageError
from benchsuite_kernels import ops
from benchsuite_plugins.models.target_batch import TargetBatch

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

    def match_anchors(self, anchors: Tensor, truth: TargetBatch) -> tuple[Tensor, Tensor]:
        """Match the anchors, which all images share, to the objects of each of N images.

        Args:
            anchors: (M, 4), all levels.

        Returns:
            matched: (N, M) int64, rows of ``truth``: the object that each anchor overlaps most. In
                an image without objects (no anchor of which is positive) they mean nothing, and
                may lie behind the last row.
            labels: (N, M) int64, 1, 0 or -1; without objects all get the lowest overlap's label.
        """
        return ops.match_shared_boxes(
            anchors,
            truth.boxes,
            truth.image_index,
            len(truth.counts),
            thresholds=self.thresholds,
            labels=self.labels,
            low_quality_matches=self.low_quality_matches,
        )

    def match_regions(
        self, boxes: Tensor, image_index: Tensor, truth: TargetBatch
    ) -> tuple[Tensor, Tensor]:
        """Match regions to the objects of the image that each lies in.

        Args:
            boxes: (R, 4), xyxy.
            image_index: (R,) int64.

        Returns:
            matched: (R,) int64, rows of ``truth``; of no meaning where a region is not positive.
            labels: (R,) int64, 1, 0 or -1.
        """
        return ops.match_boxes(
            boxes,
            image_index,
            truth.boxes,
            truth.image_index,
            len(truth.counts),
            thresholds=self.thresholds,
            labels=self.labels,
            low_quality_matches=self.low_quality_matches,
        )
