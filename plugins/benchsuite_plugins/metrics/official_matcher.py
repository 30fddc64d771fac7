"""pycocotools' ``COCOeval``, asked for one image and category at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.cocoeval import COCOeval

from benchsuite_plugins.metrics.coco_protocol import CocoProtocol

_GROUP = (0, 0)
"""The image id and category id under which COCOeval is told of the group at hand."""


class OfficialMatcher:
    """Matches the detections of one image and category to its truths.

    Args:
        protocol: IoU thresholds, area ranges and numbers of detections.
        sigmas: of the keypoints, for that task.
    """

    def __init__(self, protocol: CocoProtocol, sigmas: Sequence[float] = ()) -> None:
        self._evaluator = COCOeval(iouType=protocol.task)
        parameters = self._evaluator.params
        parameters.iouThrs = np.array(protocol.iou_thresholds)
        parameters.maxDets = list(protocol.max_detections)
        if protocol.task == "keypoints":
            parameters.kpt_oks_sigmas = np.array(sigmas)
            self._overlaps = self._evaluator.computeOks
        else:
            self._overlaps = self._evaluator.computeIoU
        self._area_ranges = [list(area_range) for area_range in protocol.area_ranges]
        self._most = protocol.most_detections
        # COCOeval starts its search for a truth at this overlap.
        self._least = min(min(protocol.iou_thresholds), 1 - 1e-10)

    def evaluate(
        self, detections: list[dict[str, Any]], truths: list[dict[str, Any]]
    ) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]]:
        """Matches, one area range after the other; nothing where no overlap reaches a threshold.

        Args:
            detections: annotations as ``COCO.loadRes`` makes them, by descending score, no more
                than count.
            truths: annotations with their ``ignore`` flag, in file order.

        Yields:
            For each area range, T being the IoU thresholds: (T, D) which detections are matched,
            (T, D) which are ignored, (T, G) which truths are matched.
        """
        evaluator = self._evaluator
        evaluator._dts[_GROUP], evaluator._gts[_GROUP] = detections, truths
        overlaps = self._overlaps(*_GROUP)
        if (overlaps < self._least).all():
            return
        evaluator.ious = {_GROUP: overlaps}
        for area_range in self._area_ranges:
            found = evaluator.evaluateImg(*_GROUP, area_range, self._most)
            # COCOeval sorts ignored truths last, and marks them as it does so.
            ignored_last = np.argsort([truth["_ignore"] for truth in truths], kind="stable")
            truths_matched = np.zeros(found["gtMatches"].shape, np.bool_)
            truths_matched[:, ignored_last] = found["gtMatches"] != 0
            yield found["dtMatches"] != 0, found["dtIgnore"].astype(np.bool_), truths_matched
