"""One Parquet file, read and held against its schema."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchsuite.errors import ContractError, InputError
from benchsuite.store.table_check import conform


def read_parquet(
    path: Path,
    schema: pa.Schema | None,
    columns: Sequence[str] | None = None,
    *,
    remedy: str,
) -> pa.Table:
    """A file's table, or some columns of it.

    Columns that the schema knows and the file does not are nulls, where the schema allows them: a
    later version has added them. Columns that only the file knows are left out.

    Args:
        schema: ``None``: any.
        remedy: what to do about a file that cannot be read.

    Raises:
        FileNotFoundError: the file is not there.
        InputError: it is damaged, or holds another table.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if schema is None:
                return file.read(columns=None if columns is None else list(columns))
            wanted = choose(schema, columns)
            there = [name for name in wanted.names if name in file.schema_arrow.names]
            return conform(file.read(columns=there), wanted, "the table")
    except ContractError as error:
        raise InputError(f"holds another table: {error}", file=path, remedy=remedy) from error
    except pa.ArrowInvalid as error:
        raise InputError(f"is damaged: {error}", file=path, remedy=remedy) from error
    except OSError as error:
        # Arrow's own complaints of damage have no number, those of the operating system do.
        if error.errno is not None:
            raise
        raise InputError(f"is damaged: {error}", file=path, remedy=remedy) from error


def choose(schema: pa.Schema, columns: Sequence[str] | None) -> pa.Schema:
    """The schema of some columns, in their order; all of them by default."""
    return schema if columns is None else pa.schema([schema.field(name) for name in columns])
