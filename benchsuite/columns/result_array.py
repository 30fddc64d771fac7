"""Detections as an array, as pycocotools' ``loadRes`` takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.columns.record_checks import NO_IDS, RecordNames
from benchsuite.columns.record_columns import RecordColumns
from benchsuite.columns.segmentation_shapes import no_shapes
from benchsuite.errors import InputError
from benchsuite_kernels.columns.coco_json import Field, Lists


def records_of_array(detections: NDArray[Any]) -> RecordColumns:
    """The records of an array (N, 7): image id, x, y, width, height, score, category id.

    Raises:
        InputError: it has another shape, or an id is not whole.
    """
    if detections.ndim != 2 or detections.shape[1] != 7 or detections.dtype.kind not in "iuf":
        raise InputError(
            f"detections are an array (N, 7) of numbers, not {detections.shape} {detections.dtype}",
            remedy="Its columns are image id, x, y, width, height, score and category id",
        )
    names = RecordNames("detections", NO_IDS, None)
    count = len(detections)
    present = np.ones(count, np.bool_)
    ids = {}
    for field, column in (("image_id", 0), ("category_id", 6)):
        values = detections[:, column]
        # 2^53: beyond it not every number has a double.
        wrong = np.flatnonzero(~(np.abs(values.astype(np.float64)) <= 2**53) | (values % 1 != 0))
        if len(wrong):
            problem = f"the field {field!r} is {values[wrong[0]]}, not an integer"
            raise names.error(wrong[0], problem)
        ids[field] = Field(values.astype(np.int64), present)
    numbers = detections.astype(np.float64)
    fields = {
        **ids,
        "score": Field(np.ascontiguousarray(numbers[:, 5]), present),
        "bbox": Field(np.ascontiguousarray(numbers[:, 1:5]), present),
    }
    no_keypoints = Lists(np.zeros(0), np.zeros(count, np.int32))
    return RecordColumns(count, fields, no_shapes(count), no_keypoints, names)
