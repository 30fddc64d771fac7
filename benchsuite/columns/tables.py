"""Tables of a schema, made of some of its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.records import ImageRecord
from benchsuite.schemas import RLE_TYPE


def filled_table(columns: Mapping[str, Any], schema: pa.Schema, rows: int) -> pa.Table:
    """A table of the schema, of whose columns those not given (or ``None``) are null."""
    arrays = []
    for field in schema:
        column = columns.get(field.name)
        arrays.append(pa.nulls(rows, field.type) if column is None else column.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def image_columns(records: Sequence[ImageRecord]) -> dict[str, pa.Array[Any]]:
    """The columns that ``TRUTH_IMAGES`` and ``PREDICTION_IMAGES`` share."""
    return {
        "image_id": pa.array([record.id for record in records], pa.int64()),
        "file_name": pa.array([record.file_name for record in records], pa.string()),
        "width": pa.array([record.width for record in records], pa.int32()),
        "height": pa.array([record.height for record in records], pa.int32()),
    }


def box_array(boxes: NDArray[np.float64], present: NDArray[np.bool_]) -> pa.Array[Any]:
    """``schemas.BBOX`` of (N, 4) boxes, null where they are not present."""
    flat = pa.array(boxes.ravel())
    return pa.FixedSizeListArray.from_arrays(flat, 4, mask=pa.array(~present))


def rle_array(counts: Sequence[bytes | None], sizes: NDArray[np.int64]) -> pa.Array[Any]:
    """``schemas.RLE_TYPE`` of counts (null where ``None``) and (N, 2) heights and widths."""
    missing = np.array([value is None for value in counts], np.bool_)
    flat_sizes = pa.array(sizes.astype(np.int32).ravel())
    return pa.StructArray.from_arrays(
        [pa.FixedSizeListArray.from_arrays(flat_sizes, 2), pa.array(counts, pa.binary())],
        fields=list(RLE_TYPE),
        mask=pa.array(missing),
    )
