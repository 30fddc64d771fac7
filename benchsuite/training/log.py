"""What a training leaves behind of each step: Parquet files and TensorBoard events.

A table grows by files: ``log/steps-000000101-000000150.parquet`` has the rows of those steps, and
is there wholly or not at all. Concatenated they are the whole table; ``duckdb`` and pandas read the
folder as one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq
from tensorboardX import SummaryWriter

from benchsuite.columns.arrow_arrays import from_rows
from benchsuite.files import durable

STEPS, VALIDATION = "steps", "validation"
_TITLES = {STEPS: "training", VALIDATION: "validation"}
_NAME = re.compile(r"(\w+)-(\d{9})-(\d{9})\.parquet")

Row = Mapping[str, float | int]


class TrainingLog:
    """The log of a training, written by one process. Leaving it leaves nothing unwritten.

    Args:
        folder: the training's; the log is in ``log`` and ``tensorboard`` below it.
        step: what the training goes on after; rows of later steps, of a training that was
            interrupted after its last checkpoint, are taken out, since they will come again.
        flush_rows, flush_seconds: a file is written when it has so many rows, or when so much time
            has passed since the last one.
    """

    def __init__(
        self, folder: Path, step: int = 0, *, flush_rows: int = 500, flush_seconds: float = 30.0
    ) -> None:
        self._folder = folder / "log"
        durable.make_folder(self._folder)
        _forget_after(self._folder, step)
        self._flush_rows, self._flush_seconds = flush_rows, flush_seconds
        self._waiting: dict[str, list[Row]] = {STEPS: [], VALIDATION: []}
        self._flushed = monotonic()
        events = folder / "tensorboard"
        self._events = SummaryWriter(str(events), purge_step=step + 1 if step else None)

    def add_step(self, row: Row) -> None:
        """Keep a step.

        Args:
            row: ``step``, from 1, and the numbers of that step.
        """
        self._add(STEPS, row)

    def add_validation(self, step: int, values: Mapping[str, float]) -> None:
        """Keep the values of a validation after a step."""
        self._add(VALIDATION, {"step": step, **values})

    def flush(self) -> None:
        """Bring everything to the disk."""
        for table, rows in self._waiting.items():
            if rows:
                _write_part(self._folder, table, rows)
                rows.clear()
        self._events.flush()
        self._flushed = monotonic()

    def _add(self, table: str, row: Row) -> None:
        self._waiting[table].append(row)
        for name, value in row.items():
            if name != "step":
                self._events.add_scalar(f"{_TITLES[table]}/{name}", value, row["step"])
        late = monotonic() - self._flushed > self._flush_seconds
        if late or len(self._waiting[table]) >= self._flush_rows:
            self.flush()

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.flush()
        self._events.close()


def read_log(folder: Path, table: str = STEPS) -> pa.Table:
    """A table of a training's log, in order.

    Args:
        folder: the training's.
        table: ``STEPS`` or ``VALIDATION``.
    """
    parts = [pq.ParquetFile(path).read() for path, _, _ in _parts(folder / "log", table)]
    return pa.concat_tables(parts, promote_options="default") if parts else pa.table({})


def _parts(folder: Path, table: str) -> list[tuple[Path, int, int]]:
    """A table's files, in order, with the first and the last step of each."""
    found = []
    for path in sorted(folder.glob(f"{table}-*.parquet")):
        if match := _NAME.fullmatch(path.name):
            found.append((path, int(match[2]), int(match[3])))
    return found


def _write_part(folder: Path, table: str, rows: list[Row]) -> None:
    names = dict.fromkeys(name for row in rows for name in row)
    schema = pa.schema([(name, pa.int64() if name == "step" else pa.float64()) for name in names])
    data = from_rows(rows, schema)
    _write(folder, table, data)


def _write(folder: Path, table: str, data: pa.Table) -> None:
    steps = data["step"].to_pylist()
    path = folder / f"{table}-{steps[0]:09d}-{steps[-1]:09d}.parquet"
    begun = path.with_name(f".{path.name}")
    pq.write_table(data, begun, compression="zstd")
    durable.sync_file(begun)
    begun.replace(path)
    durable.sync_folder(folder)


def _forget_after(folder: Path, step: int) -> None:
    for table in (STEPS, VALIDATION):
        for path, first, last in _parts(folder, table):
            if last <= step:
                continue
            if first <= step:
                rows = pq.ParquetFile(path).read()
                kept = sum(each <= step for each in rows["step"].to_pylist())
                _write(folder, table, rows.slice(0, kept))
            path.unlink()
