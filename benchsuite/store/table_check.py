"""Holding a table against its schema, before it is stored and after it is read."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from benchsuite.errors import ContractError


def conform(data: pa.Table, schema: pa.Schema, what: str) -> pa.Table:
    """The table with exactly the schema's columns, in the schema's order.

    A missing column that may be null is filled with nulls, and so is one of Arrow's null type.
    No value is converted.

    Args:
        what: what messages call the table.

    Raises:
        ContractError: names the column that is missing, unknown, of another type, or null where
            it must not be.
    """
    if unknown := [name for name in data.column_names if name not in schema.names]:
        raise ContractError(
            f"{what} has columns that its schema does not know: {', '.join(unknown)}. "
            f"It has: {', '.join(schema.names)}"
        )
    if twice := sorted({name for name in data.column_names if data.column_names.count(name) > 1}):
        raise ContractError(f"{what} has the column {twice[0]!r} more than once")
    columns = [_column(data, field, what) for field in schema]
    return pa.table(columns, schema=schema)


def _column(data: pa.Table, field: pa.Field[Any], what: str) -> pa.ChunkedArray[Any]:
    nulls = pa.chunked_array([pa.nulls(data.num_rows, field.type)])
    if field.name not in data.column_names:
        if field.nullable:
            return nulls
        raise ContractError(f"{what} has no column {field.name!r}, which must be there")
    column = data[field.name]
    if column.type == pa.null() and field.nullable:
        return nulls
    if column.type != field.type:
        raise ContractError(
            f"{what}: column {field.name!r} is {column.type}, expected {field.type}"
        )
    if column.null_count and not field.nullable:
        row = column.is_null().index(True).as_py()
        raise ContractError(f"{what}: column {field.name!r} is null in row {row}")
    return column
