"""How the shapes of detections and truths overlap, as the matching kernels take it."""

from __future__ import annotations

import numpy as np

from benchsuite.errors import ContractError
from benchsuite.specs import KeypointLayout
from benchsuite_kernels.columns.overlaps import (
    BoxOverlaps,
    KeypointOverlaps,
    MaskOverlaps,
    Overlaps,
)
from benchsuite_plugins.metrics.detection_areas import detection_boxes
from benchsuite_plugins.metrics.scored_shapes import Side


def shape_overlaps(task: str, detections: Side, truths: Side, field: str) -> Overlaps:
    """IoU of boxes or masks, row for row.

    Args:
        task: ``bbox`` or ``segm``.
        field: that from which detections' areas are taken, and boxes where they have none.

    Raises:
        ContractError: another task.
    """
    if task == "bbox":
        return BoxOverlaps(detection_boxes(detections, field), truths.boxes())
    if task == "segm":
        return MaskOverlaps(detections.masks(), truths.masks())
    raise ContractError(f"no overlaps of {task} are measured here, but of bbox and segm")


def keypoint_overlaps(detections: Side, truths: Side, layout: KeypointLayout) -> KeypointOverlaps:
    """OKS, row for row.

    Raises:
        InputError: a row has another number of keypoints than the layout.
    """
    count = len(layout.names)
    return KeypointOverlaps(
        detections=detections.keypoints(count),
        truths=truths.keypoints(count),
        boxes=truths.boxes(),
        areas=truths.column("area"),
        sigmas=np.array(layout.sigmas, np.float64),
    )
