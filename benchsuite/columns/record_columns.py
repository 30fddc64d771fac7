"""Records whose fields are columns already: those of a scanned file, or of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.columns.keypoint_column import KeypointColumn
from benchsuite.columns.record_checks import CheckedRecords, RecordNames
from benchsuite.columns.segmentation_column import SegmentationColumn
from benchsuite.columns.segmentation_shapes import Shapes
from benchsuite_kernels.columns.coco_json import Field, Lists


class RecordColumns(CheckedRecords):
    """Columns of N records.

    Args:
        count: N.
        fields: the plain fields by name; one that is not there is missing from every record.
        shapes: the segmentations.
        keypoints: float64.
        names: how messages name the records.
    """

    def __init__(
        self,
        count: int,
        fields: Mapping[str, Field],
        shapes: Shapes,
        keypoints: Lists,
        names: RecordNames,
    ) -> None:
        self._count, self._fields = count, fields
        self._shapes, self._keypoints = shapes, keypoints
        self.names = names

    def __len__(self) -> int:
        return self._count

    def has(self, field: str) -> NDArray[np.bool_]:
        return self._field(field, np.int64).present

    def integers(self, field: str, default: int | None = None) -> NDArray[np.int64]:
        return self._filled(field, default, np.int64)

    def flags(self, field: str, default: bool) -> NDArray[np.bool_]:
        flags: NDArray[np.bool_] = self._filled(field, int(default), np.int64) != 0
        return flags

    def numbers(
        self, field: str, *, finite: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        found = self._field(field, np.float64)
        if finite and not np.isfinite(found.values).all():
            row = np.isfinite(found.values).argmin()
            raise self.names.error(
                row, f"the field {field!r} is {found.values[row]}, not a finite number"
            )
        return found.values, found.present

    def boxes(
        self, field: str = "bbox", *, negative: bool = False
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        found = self._field(field, np.float64, 4)
        if not np.isfinite(found.values).all():
            row, place = np.argwhere(~np.isfinite(found.values))[0]
            value = found.values[row, place]
            raise self.names.error(
                row, f"the field {field!r} holds a value that is {value}, not a finite number"
            )
        smaller = (found.values[:, 2] < 0) | (found.values[:, 3] < 0)
        if not negative and smaller.any():
            row = smaller.argmax()
            raise self.names.error(
                row,
                f"the field {field!r} is {found.values[row].tolist()}: its width or height is"
                " negative",
            )
        return found.values, found.present

    def segmentations(self) -> SegmentationColumn:
        return SegmentationColumn(self._shapes, self.names)

    def keypoints(self) -> KeypointColumn:
        return KeypointColumn(self._keypoints.items, self._keypoints.lengths, self.names)

    def _field(self, name: str, dtype: type[np.generic], *width: int) -> Field:
        missing = Field(np.zeros((self._count, *width), dtype), np.zeros(self._count, np.bool_))
        return self._fields.get(name, missing)

    def _filled(self, name: str, default: int | None, dtype: type[np.generic]) -> NDArray[Any]:
        found = self._field(name, dtype)
        if found.present.all():
            return found.values
        if default is None:
            raise self.names.missing(found.present, name)
        return np.where(found.present, found.values, np.int64(default))
