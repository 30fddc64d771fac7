"""What ``COCOeval`` matches, column by column, whatever it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchsuite.coco import records
from benchsuite_kernels.columns.overlaps import Masks

Record = records.Record


class Rows(Protocol):
    """N truths or detections, in file order.

    Methods raise ``InputError``, naming a record, where it lacks a field or has something else
    in it.
    """

    def __len__(self) -> int: ...

    def take(self, rows: NDArray[np.int64]) -> Rows:
        """These rows, in this order."""

    def places(self, field: str, ids: Sequence[Any]) -> NDArray[np.int64]:
        """(N,) the place of the field's value among ``ids``, -1 where it is not there."""

    def values(self, field: str) -> list[Any]:
        """The field as records have it."""

    def numbers(self, field: str) -> NDArray[np.float64]:
        """(N,) float64."""

    def number_lists(self, field: str, length: int) -> NDArray[np.float64]:
        """(N, length) float64."""

    def keypoints(self, length: int) -> NDArray[np.float64]:
        """(N, length) float64, zeros where a truth has no keypoints."""

    def masks(self) -> Masks:
        """The masks, as RLE."""

    def check_masks(self) -> None:
        """Raises ``InputError`` for the first malformed mask."""

    def crowd(self) -> NDArray[np.bool_]:
        """(N,) truths that many detections may match."""

    def ignored(self) -> NDArray[np.bool_]:
        """(N,) truths that are not to be found."""


class RecordRows:
    """Rows that are annotation records.

    Args:
        rows: the records; of truths with ``ignore`` set, of masks with RLE as ``segmentation``.
    """

    def __init__(self, rows: Sequence[Record]) -> None:
        self.records = rows

    def __len__(self) -> int:
        return len(self.records)

    def take(self, rows: NDArray[np.int64]) -> RecordRows:
        return RecordRows([self.records[row] for row in rows.tolist()])

    def places(self, field: str, ids: Sequence[Any]) -> NDArray[np.int64]:
        place_of: Mapping[Any, int] = {identity: place for place, identity in enumerate(ids)}
        return np.array([place_of.get(value, -1) for value in self.values(field)], np.int64)

    def values(self, field: str) -> list[Any]:
        return records.values(self.records, field)

    def numbers(self, field: str) -> NDArray[np.float64]:
        return records.numbers(self.records, field)

    def number_lists(self, field: str, length: int) -> NDArray[np.float64]:
        return records.number_lists(self.records, field, length)

    def keypoints(self, length: int) -> NDArray[np.float64]:
        if all(record.get("keypoints") for record in self.records):
            return self.number_lists("keypoints", length)
        filled = [
            {**one, "keypoints": one.get("keypoints") or [0] * length} for one in self.records
        ]
        return records.number_lists(filled, "keypoints", length)

    def masks(self) -> Masks:
        return records.masks(self.records)

    def check_masks(self) -> None:
        records.check_masks(self.records)

    def crowd(self) -> NDArray[np.bool_]:
        return np.array([bool(int(flag)) for flag in self.values("iscrowd")], np.bool_)

    def ignored(self) -> NDArray[np.bool_]:
        return np.array([bool(flag) for flag in self.values("ignore")], np.bool_)
