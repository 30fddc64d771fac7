"""Tables of a schema, made of some of its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import as_type, from_numpy, from_values, nulls
from benchsuite.records import ImageRecord
from benchsuite.schemas import RLE_TYPE


def filled_table(columns: Mapping[str, Any], schema: pa.Schema, rows: int) -> pa.Table:
    """A table of the schema, of whose columns those not given (or ``None``) are null."""
    arrays = []
    for field in schema:
        column = columns.get(field.name)
        arrays.append(nulls(field.type, rows) if column is None else as_type(column, field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def image_columns(records: Sequence[ImageRecord]) -> dict[str, pa.Array[Any]]:
    """The columns that ``TRUTH_IMAGES`` and ``PREDICTION_IMAGES`` share."""

    def sides(values: list[int]) -> pa.Array[Any]:
        return from_numpy(np.array(values, np.int32))

    return {
        "image_id": from_numpy(np.array([record.id for record in records], np.int64)),
        "file_name": from_values([record.file_name for record in records], pa.string()),
        "width": sides([record.width for record in records]),
        "height": sides([record.height for record in records]),
    }


def image_sizes(records: Sequence[ImageRecord]) -> NDArray[np.int64]:
    """(N, 2) height and width of each image, in pixels."""
    sizes = [(record.height, record.width) for record in records]
    return np.array(sizes, np.int64).reshape(-1, 2)


def box_array(boxes: NDArray[np.float64], present: NDArray[np.bool_]) -> pa.Array[Any]:
    """``schemas.BBOX`` of (N, 4) boxes, null where they are not present."""
    return from_numpy(np.ascontiguousarray(boxes, np.float64), present)


def rotated_box_array(
    boxes: NDArray[np.float64], present: NDArray[np.bool_]
) -> pa.Array[Any] | None:
    """``schemas.ROTATED_BOX`` of (N, 5) boxes, null where they are not present.

    ``None`` where none is.
    """
    return from_numpy(boxes, present) if present.any() else None


def rle_array(counts: Sequence[bytes | None], sizes: NDArray[np.int64]) -> pa.Array[Any]:
    """``schemas.RLE_TYPE`` of counts (null where ``None``) and (N, 2) heights and widths."""
    missing = np.array([value is None for value in counts], np.bool_)
    size = from_numpy(np.ascontiguousarray(sizes, np.int32).reshape(-1, 2))
    return pa.StructArray.from_arrays(
        [size, from_values(counts, pa.binary())], fields=list(RLE_TYPE), mask=from_numpy(missing)
    )
