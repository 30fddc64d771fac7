"""How the boxes or masks of detections and truths overlap, as the matching kernels take it."""

from __future__ import annotations

from typing import Any

from benchsuite.columns.arrow_arrays import binary_to_numpy, to_numpy
from benchsuite.errors import ContractError
from benchsuite_kernels.columns.overlaps import BoxOverlaps, MaskOverlaps, Masks, Overlaps
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
        return MaskOverlaps(masks(detections), masks(truths))
    raise ContractError(f"no overlaps of {task} are measured here, but of bbox and segm")


def masks(side: Side) -> Masks:
    """The column of segmentations, which must not hold nulls."""
    column: Any = side.table["segmentation"].combine_chunks()
    counts, offsets = binary_to_numpy(column.field("counts"))
    return Masks(counts, offsets, to_numpy(column.field("size")))
