"""How the detections and truths of one image overlap, as ``COCOeval`` computes it on request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.coco import mask
from benchsuite.coco.records import Record, number_lists, numbers, values


def shape_overlaps(truths: Sequence[Record], detections: Sequence[Record], field: str) -> Any:
    """IoU of boxes (``field`` is ``bbox``) or masks (``segmentation``, compressed RLE).

    Returns:
        (D, G) float64; ``[]`` where a side is empty.
    """
    crowd = [int(truth["iscrowd"]) for truth in truths]
    return mask.iou(values(detections, field), values(truths, field), crowd)


def keypoint_similarity(
    truths: Sequence[Record], detections: Sequence[Record], sigmas: NDArray[np.float64]
) -> Any:
    """Object keypoint similarity: COCO's OKS.

    For a truth without visible keypoints, distances are those from its box made twice as large on
    every side.

    Returns:
        (D, G) float64; ``[]`` where a side is empty.
    """
    if not truths or not detections:
        return []
    found = number_lists(detections, "keypoints", 3 * len(sigmas)).reshape(-1, len(sigmas), 3)
    wanted = number_lists(truths, "keypoints", 3 * len(sigmas)).reshape(-1, len(sigmas), 3)
    boxes, areas = number_lists(truths, "bbox", 4), numbers(truths, "area")
    variances = (sigmas * 2) ** 2
    similarities = np.zeros((len(found), len(wanted)))
    for g, (points, box, area) in enumerate(zip(wanted, boxes, areas)):
        visible = points[:, 2] > 0
        if visible.any():
            apart = found[:, :, :2] - points[:, :2]
        else:
            low, high = box[:2] - box[2:], box[:2] + box[2:] * 2
            places = found[:, :, :2]
            apart = np.maximum(0, low - places) + np.maximum(0, places - high)
            visible[:] = True
        squared = apart[:, :, 0] ** 2 + apart[:, :, 1] ** 2
        error = squared / variances / (area + np.spacing(1)) / 2
        for d, errors in enumerate(np.ascontiguousarray(error[:, visible])):
            similarities[d, g] = np.sum(np.exp(-errors)) / len(errors)
    return similarities
