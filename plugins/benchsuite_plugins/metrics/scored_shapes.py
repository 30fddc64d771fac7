"""What COCO's protocol compares: boxes, masks or keypoints of both sides, and their areas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchsuite.errors import InputError
from benchsuite.specs import KeypointLayout

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
        return np.asarray(self.table[field].is_valid().to_numpy(), np.bool_)

    def require(self, field: str, why: str) -> None:
        """Raises ``InputError`` for the first row in which the column is null."""
        missing = np.flatnonzero(~self.has(field))
        if len(missing):
            raise self.error(missing[0], f"{field} is missing, {why}")

    def error(self, row: int | np.integer[Any], problem: str) -> InputError:
        identity = self.table[self.id_column][int(row)].as_py()
        return InputError(problem, file=self.file or None, record=self.record.format(identity))

    def take(self, rows: NDArray[np.integer[Any]]) -> Side:
        return Side(self.table.take(pa.array(rows)), self.file, self.record, self.id_column)

    def in_file_order(self) -> Side:
        """The rows by ascending name."""
        names = self.column(self.id_column)
        return self if (np.diff(names) > 0).all() else self.take(np.argsort(names, kind="stable"))

    def column(self, name: str) -> NDArray[Any]:
        """A column of numbers, 0 where it is null."""
        column: Any = self.table[name]
        return np.asarray(column.fill_null(0).to_numpy() if column.null_count else column)

    def boxes(self) -> NDArray[np.float64]:
        """(N, 4) ``x, y, width, height``; zeros where the column is null."""
        return _fixed_lists(self.table["bbox"], 4)

    def masks(self) -> list[dict[str, Any]]:
        """RLE objects as pycocotools takes them. The column must not hold nulls."""
        struct: Any = self.table["segmentation"].combine_chunks()
        sizes = _fixed_lists(struct.field("size"), 2).astype(np.int64).tolist()
        counts = struct.field("counts").to_pylist()
        return [{"size": size, "counts": one_mask} for size, one_mask in zip(sizes, counts)]

    @property
    def keypoint_count(self) -> int:
        """Keypoints of the first row."""
        return len(self.table["keypoints"][0].as_py()) // 3

    def keypoints(self, count: int) -> NDArray[np.float64]:
        """(N, 3 K) ``x1, y1, v1, x2, ...``; zeros where the column is null.

        Raises:
            InputError: a row has another number of keypoints than ``count``.
        """
        column = self.table["keypoints"]
        lengths = pc.list_value_length(column).fill_null(3 * count).to_numpy()
        unlike = np.flatnonzero(lengths != 3 * count)
        if len(unlike):
            raise self.error(
                unlike[0],
                f"keypoints has {lengths[unlike[0]]} numbers, not {3 * count}"
                f" (x, y and a third of {count} keypoints)",
            )
        numbers = np.zeros((len(self), 3 * count))
        numbers[self.has("keypoints")] = pc.list_flatten(column).to_numpy().reshape(-1, 3 * count)
        return numbers


def shapes(side: Side, task: str, layout: KeypointLayout | None) -> list[Any]:
    """The task's shapes, one a row, as COCOeval takes them."""
    if task == "segm":
        return side.masks()
    if task == "keypoints" and layout is not None:
        return list(side.keypoints(len(layout.names)))
    boxes: list[Any] = side.boxes().tolist()
    return boxes


def _fixed_lists(column: Any, length: int) -> NDArray[Any]:
    """(N, length) of a column of fixed-size lists, zeros where it is null."""
    rows = pc.is_valid(column).to_numpy(zero_copy_only=False)
    flat = pc.list_flatten(column).to_numpy()
    lists = np.zeros((len(rows), length), flat.dtype)
    lists[rows] = flat.reshape(-1, length)
    return lists
