"""Streaming a table into a Parquet file whose row groups depend on its rows alone.

A table that comes in other portions gives the same file, byte for byte: groups are closed where
the next row would make them larger than a budget, and every group is made one piece before it is
written.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

GROUP_BYTES = 32 << 20
"""What a row group takes in memory, at most; a single row may be larger."""


class RowGroupWriter:
    """Writes a Parquet file (zstd) row group by row group. A context manager.

    Args:
        path: the file; written anew.
        schema: of the tables to come.
        group_bytes: the budget of a row group.
    """

    def __init__(self, path: Path, schema: pa.Schema, group_bytes: int = GROUP_BYTES) -> None:
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True)
        self._schema = schema
        self._budget = group_bytes
        self._held: list[pa.Table] = []
        self._held_bytes = 0

    def __enter__(self) -> RowGroupWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._write_group()
        finally:
            self._writer.close()

    def write(self, table: pa.Table) -> None:
        """Add rows."""
        ends = np.concatenate([[0], np.cumsum(row_bytes(table))])
        start, rows = 0, table.num_rows
        while start < rows:
            room = self._budget - self._held_bytes
            stop = int(np.searchsorted(ends, ends[start] + room, side="right")) - 1
            if stop <= start:
                if self._held:
                    self._write_group()
                    continue
                stop = start + 1
            self._held.append(table.slice(start, stop - start))
            self._held_bytes += int(ends[stop] - ends[start])
            start = stop

    def _write_group(self) -> None:
        if not self._held:
            return
        group = pa.concat_tables(self._held).combine_chunks()
        self._writer.write_table(group, row_group_size=max(group.num_rows, 1))
        self._held, self._held_bytes = [], 0


def row_bytes(table: pa.Table) -> NDArray[np.int64]:
    """(rows,) int64: about what each row takes in memory; it depends on the row alone."""
    total = np.zeros(table.num_rows, np.int64)
    for column in table.columns:
        total += _value_bytes(column.combine_chunks())
    return total


def _value_bytes(values: Any) -> NDArray[np.int64]:
    kind = values.type
    if pa.types.is_struct(kind):
        total = np.zeros(len(values), np.int64)
        for i in range(kind.num_fields):
            total += _value_bytes(pc.struct_field(values, i))
        return total
    if pa.types.is_binary(kind) or pa.types.is_string(kind):
        return 4 + _lengths(pc.binary_length(values))
    if pa.types.is_list(kind):
        return 4 + _lengths(pc.list_value_length(values)) * _fixed_bytes(kind.value_type)
    return np.full(len(values), _fixed_bytes(kind), np.int64)


def _lengths(values: Any) -> NDArray[np.int64]:
    return np.asarray(pc.fill_null(values, 0)).astype(np.int64)


def _fixed_bytes(kind: pa.DataType) -> int:
    """Bytes of a value whose size does not vary, as far as its type tells."""
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size) * _fixed_bytes(kind.value_type)
    if pa.types.is_struct(kind):
        return sum(_fixed_bytes(field.type) for field in kind)
    return 8
