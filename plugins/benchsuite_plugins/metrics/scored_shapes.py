"""What COCO's protocol compares: boxes, masks or keypoints of both sides, and their areas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import (
    binary_to_numpy,
    from_numpy,
    is_present,
    lists_to_numpy,
    to_numpy,
)
from benchsuite.errors import InputError
from benchsuite_kernels.columns import rle_batch
from benchsuite_kernels.columns.overlaps import Masks

FIELDS = {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints"}
"""Task to the column that holds its shapes (and to the field in which COCOeval looks for them)."""


@dataclass(frozen=True, slots=True)
class Side:
    """The rows of one side, and how messages name them.

    Attributes:
        table: ``TRUTH_INSTANCES`` or ``PREDICTION_INSTANCES``.
        file: where they are from.
        record: what a row is called, with its ``id_column`` in place of ``{}``.
        id_column: the column that names a row.
    """

    table: pa.Table
    file: str
    record: str
    id_column: str

    @classmethod
    def truths(cls, table: pa.Table, file: str) -> Side:
        return cls(table, file, "annotation id {}", "annotation_id")

    @classmethod
    def detections(cls, table: pa.Table, file: str) -> Side:
        return cls(table, file, "detections[{}]", "prediction")

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def has(self, field: str) -> NDArray[np.bool_]:
        """(N,) whether the column is not null."""
        return is_present(self.table[field])

    def require(self, field: str, why: str) -> None:
        """Raises ``InputError`` for the first row in which the column is null."""
        if self.table[field].null_count:
            raise self.error(self.has(field).argmin(), f"{field} is missing, {why}")

    def error(self, row: int | np.integer[Any], problem: str) -> InputError:
        identity = self.table[self.id_column][int(row)].as_py()
        return InputError(problem, file=self.file or None, record=self.record.format(identity))

    def select(self, columns: list[str]) -> Side:
        """The columns that are named, and the one that names a row."""
        table = self.table.select(list(dict.fromkeys([self.id_column, *columns])))
        return Side(table, self.file, self.record, self.id_column)

    def take(self, rows: NDArray[np.integer[Any]]) -> Side:
        table = self.table.take(from_numpy(rows))
        return Side(table, self.file, self.record, self.id_column)

    def in_file_order(self) -> Side:
        """The rows by ascending name."""
        names = self.column(self.id_column)
        return self if (np.diff(names) > 0).all() else self.take(np.argsort(names, kind="stable"))

    def column(self, name: str) -> NDArray[Any]:
        """A column of numbers, 0 where it is null. Not to be written to."""
        return to_numpy(self.table[name])

    def boxes(self) -> NDArray[np.float64]:
        """(N, 4) ``x, y, width, height``; zeros where the column is null."""
        return to_numpy(self.table["bbox"])

    def masks(self) -> Masks:
        """The masks, row for row. The column must not hold nulls."""
        size, counts = self.table["segmentation"].flatten()
        data, offsets = binary_to_numpy(counts)
        return Masks(data, offsets, to_numpy(size))

    def check_masks(self) -> None:
        """Raises ``InputError`` for the first mask that is malformed. There must be no nulls."""
        masks = self.masks()
        try:
            rle_batch.validate(masks.counts, masks.offsets, masks.sizes.astype(np.int64))
        except rle_batch.MaskError as error:
            raise self.error(error.row, f"segmentation: {error}") from None

    @property
    def keypoint_count(self) -> int:
        """Keypoints of the first row."""
        return len(self.table["keypoints"][0].as_py()) // 3

    def keypoints(self, count: int) -> NDArray[np.float64]:
        """(N, 3 K) ``x1, y1, v1, x2, ...``; zeros where the column is null.

        Raises:
            InputError: a row has another number of keypoints than ``count``.
        """
        values, offsets = lists_to_numpy(self.table["keypoints"])
        there = self.has("keypoints")
        lengths = np.diff(offsets)
        unlike = np.flatnonzero(there & (lengths != 3 * count))
        if len(unlike):
            raise self.error(
                unlike[0],
                f"keypoints has {lengths[unlike[0]]} numbers, not {3 * count}"
                f" (x, y and a third of {count} keypoints)",
            )
        if there.all():
            return np.ascontiguousarray(values.reshape(-1, 3 * count), np.float64)
        numbers = np.zeros((len(self), 3 * count))
        numbers[there] = values.reshape(-1, 3 * count)
        return numbers
