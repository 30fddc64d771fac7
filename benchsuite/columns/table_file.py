"""Arrow tables in files: Parquet, and Arrow's own format (Feather too)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa

from benchsuite.columns.file_bytes import FileBytes
from benchsuite.errors import InputError

_PARQUET, _ARROW = b"PAR1", b"ARROW1"


def is_table_file(path: Path) -> bool:
    """Whether a file is one of tables, by its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_ARROW)).startswith((_PARQUET, _ARROW))


def read_table(file: FileBytes, wanted: Collection[str] | None = None) -> pa.Table:
    """Those of the wanted columns that the file has, or all.

    Raises:
        InputError: it is damaged, or neither Parquet nor an Arrow file.
    """
    data = pa.py_buffer(file.buffer[: file.size])
    try:
        if file.buffer[:4].tobytes() == _PARQUET:
            # Not through pyarrow.parquet.read_table, which imports datasets and pandas.
            from pyarrow.parquet import ParquetFile

            parquet = ParquetFile(pa.BufferReader(data))
            return parquet.read(columns=_those(parquet.schema_arrow.names, wanted))
        table = pa.ipc.open_file(pa.BufferReader(data)).read_all()
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"cannot be read as Parquet or Arrow: {str(error).partition(chr(10))[0]}",
            file=file.path,
            remedy="The file seems damaged; get it again",
        ) from error
    return table.select(_those(table.column_names, wanted))


def _those(names: Sequence[str], wanted: Collection[str] | None) -> list[str]:
    return [name for name in names if wanted is None or name in wanted]
