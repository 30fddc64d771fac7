"""Boundary AP: COCO's average precision of masks, by boundary IoU.

Cheng et al., Boundary IoU: Improving Object-Centric Image Segmentation Evaluation, 2021. As
``boundary-iou-api`` computes it, whose ``COCOeval`` differs from pycocotools' in one more point: a
truth whose record says ``ignore`` is ignored, be it a crowd or not.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from benchsuite.errors import UsageError
from benchsuite.protocols import Predictions, Truth
from benchsuite_kernels.columns.overlaps import BoundaryOverlaps
from benchsuite_plugins.metrics.coco_ap import CocoAP
from benchsuite_plugins.metrics.coco_match import match
from benchsuite_plugins.metrics.coco_options import CocoOptions
from benchsuite_plugins.metrics.coco_protocol import detection_protocol
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.scored_shapes import Side


@dataclass(frozen=True, slots=True)
class BoundaryOptions(CocoOptions):
    """Options of ``coco_boundary``: those of COCO's metrics, and how wide a boundary is.

    Attributes:
        dilation_ratio: the boundary's width over the image's diagonal.
    """

    dilation_ratio: float = 0.02


class BoundaryAP(CocoAP):
    """COCO's protocol of masks by boundary IoU, as a ``benchsuite.protocols.Metric``.

    Args:
        options: what is chosen otherwise.

    Raises:
        UsageError: the options contradict themselves.
    """

    def __init__(self, options: BoundaryOptions | None = None) -> None:
        options = options or BoundaryOptions()
        super().__init__(detection_protocol("segm"), options)
        if not 0 <= options.dilation_ratio <= 1:
            raise UsageError(f"metric.dilation_ratio={options.dilation_ratio}: it is from 0 to 1")
        self._ratio = options.dilation_ratio

    def _matched(self, truth: Truth, predictions: Predictions, header: MatchHeader) -> pa.Table:
        return match(
            truth,
            predictions,
            header,
            categories_apart=self._options.use_categories,
            overlaps=self._overlaps,
            ignored=("iscrowd", "difficult"),
        )

    def _overlaps(self, detections: Side, truths: Side, _: str) -> BoundaryOverlaps:
        return BoundaryOverlaps(detections.masks(), truths.masks(), self._ratio)


def create(options: BoundaryOptions | None = None) -> BoundaryAP:
    """The metric."""
    return BoundaryAP(options)
