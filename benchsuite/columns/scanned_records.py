"""The records of a COCO file that the scanner took."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa

from benchsuite.columns.arrow_arrays import binary_from_numpy
from benchsuite.columns.file_bytes import FileBytes
from benchsuite.columns.record_checks import RecordNames
from benchsuite.columns.record_columns import RecordColumns
from benchsuite.columns.segmentation_shapes import Shapes
from benchsuite_kernels.columns.coco_json import (
    COUNTS,
    Annotations,
    Field,
    Lists,
    Results,
    Segmentations,
    gather_counts,
)


def scanned_results(found: Results, file: FileBytes) -> RecordColumns:
    """The records of a results file, called ``detections``. The file's bytes are used up."""
    fields = {
        "image_id": found.image_id,
        "category_id": found.category_id,
        "score": found.score,
        "bbox": found.bbox,
    }
    names = RecordNames("detections", _ExtraIds(found.extra), file.path)
    shapes = _shapes(found.segmentations, file)
    return RecordColumns(found.count, fields, shapes, found.keypoints, names)


def scanned_annotations(found: Annotations, file: FileBytes) -> RecordColumns:
    """The records of an annotation file. The file's bytes are used up."""
    fields = {
        "id": found.id,
        "image_id": found.image_id,
        "category_id": found.category_id,
        "bbox": found.bbox,
        "area": found.area,
        "iscrowd": found.iscrowd,
        "ignore": found.ignore,
        "num_keypoints": found.num_keypoints,
    }
    names = RecordNames("annotations", _FieldIds(found.id), file.path)
    shapes = _shapes(found.segmentations, file)
    return RecordColumns(found.count, fields, shapes, found.keypoints, names)


def text_column(texts: Lists) -> pa.Array[Any] | None:
    """Strings, null where one is empty; ``None`` where all are."""
    if not len(texts.items):
        return None
    present = texts.lengths > 0
    offsets = np.concatenate([[0], np.cumsum(texts.lengths, dtype=np.int64)])
    return binary_from_numpy(texts.items, offsets, present).cast(pa.string())


def _shapes(found: Segmentations, file: FileBytes) -> Shapes:
    counts, offsets = np.zeros(0, np.uint8), np.zeros(len(found.shape) + 1, np.int64)
    if (found.shape == COUNTS).any():
        file.finish_hash()
        counts, offsets = gather_counts(file.buffer, found)
    return Shapes(
        found.shape, found.size, counts, offsets, found.runs, found.polygons, found.points
    )


class _FieldIds:
    """The ids of annotations, as messages show them."""

    def __init__(self, ids: Field) -> None:
        self._ids = ids

    def __getitem__(self, index: int) -> int | None:
        return int(self._ids.values[index]) if self._ids.present[index] else None


class _ExtraIds:
    """The ids of detections, which no protocol asks for: they are among the further fields."""

    def __init__(self, extra: Lists) -> None:
        self._extra = extra

    def __getitem__(self, index: int) -> Any:
        end = int(self._extra.lengths[: index + 1].sum(dtype=np.int64))
        text = self._extra.items[end - int(self._extra.lengths[index]) : end].tobytes()
        return json.loads(text).get("id") if text else None
