"""Areas and boxes of detections, as ``COCO.loadRes`` of pycocotools makes them.

The first detection of a file decides for all of them. If it has a box, a detection's area is its
box's; else, if it has a mask, the mask's; else that of the box round its keypoints. Where a
detection has no box, the one round its mask or keypoints serves. (So a file whose first detection
has no box while others have one is to be matched whole: a shard of it may begin otherwise.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns import rle_batch
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.metrics.scored_shapes import Side

_ORDER = ("bbox", "segmentation", "keypoints")


def deciding_field(detections: Side) -> str:
    """The field that areas are taken from: the first in ``_ORDER`` that the first detection has.

    Raises:
        InputError: it has none, or another detection lacks it.
    """
    for field in _ORDER:
        if field in detections.table.column_names and detections.table[field][0].is_valid:
            detections.require(field, "though the first detection has it")
            return field
    raise detections.error(0, f"has none of {', '.join(_ORDER)}")


def detection_areas(detections: Side, field: str) -> NDArray[np.float64]:
    """(N,) areas in square pixels, taken from the deciding field.

    Raises:
        InputError: a mask is malformed.
    """
    if field == "segmentation":
        masks = detections.masks()
        try:
            pixels = rle_batch.areas(masks.counts, masks.offsets, threads=evaluation_threads())
        except rle_batch.MaskError as error:
            raise detections.error(error.row, f"segmentation: {error}") from None
        return pixels.astype(np.float64)
    boxes = detections.boxes() if field == "bbox" else _boxes_of_keypoints(detections)
    return np.asarray(boxes[:, 2] * boxes[:, 3], np.float64)


def detection_boxes(detections: Side, field: str) -> NDArray[np.float64]:
    """(N, 4) boxes ``x, y, width, height``, made from the deciding field where there is none."""
    boxes = detections.boxes()
    without = ~detections.has("bbox")
    if without.any():
        boxes = boxes.copy()
        others = detections.take(np.flatnonzero(without))
        boxes[without] = (
            _boxes_of_masks(others) if field == "segmentation" else _boxes_of_keypoints(others)
        )
    return boxes


def _boxes_of_masks(detections: Side) -> NDArray[np.float64]:
    masks = detections.masks()
    try:
        return rle_batch.to_bboxes(
            masks.counts, masks.offsets, masks.sizes.astype(np.int64), threads=evaluation_threads()
        )
    except rle_batch.MaskError as error:
        raise detections.error(error.row, f"segmentation: {error}") from None


def _boxes_of_keypoints(detections: Side) -> NDArray[np.float64]:
    points = detections.keypoints(detections.keypoint_count)
    x, y = points[:, 0::3], points[:, 1::3]
    left, top = x.min(axis=1), y.min(axis=1)
    return np.stack([left, top, x.max(axis=1) - left, y.max(axis=1) - top], axis=1)
