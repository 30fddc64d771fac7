"""Arrow tables in files: Parquet, and Arrow's own format (Feather too)."""

from __future__ import annotations

from collections.abc import Callable
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


def read_table(file: FileBytes, choose: Callable[[list[str]], list[str]] = list) -> pa.Table:
    """A table, or some of its columns.

    Args:
        choose: which columns are read, of those that there are; all by default.

    Raises:
        InputError: it is damaged, or neither Parquet nor an Arrow file.
    """
    data = pa.py_buffer(file.buffer[: file.size])
    try:
        if file.buffer[:4].tobytes() == _PARQUET:
            # Not through pyarrow.parquet.read_table, which imports datasets and pandas.
            from pyarrow.parquet import ParquetFile

            parquet = ParquetFile(pa.BufferReader(data))
            return parquet.read(columns=choose(parquet.schema_arrow.names))
        table = pa.ipc.open_file(pa.BufferReader(data)).read_all()
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"cannot be read as Parquet or Arrow: {str(error).partition(chr(10))[0]}",
            file=file.path,
            remedy="The file seems damaged; get it again",
        ) from error
    return table.select(choose(table.column_names))
