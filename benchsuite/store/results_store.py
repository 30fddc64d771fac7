"""The store: results as Parquet, one file a run and table, never rewritten.

``<root>/<table>/<run_id>.parquet`` for the tables of ``schemas.STORE_TABLES``, and
``<root>/reports/<run_id>/report.html``: ``pandas.read_parquet(root / "metrics")`` and DuckDB's
``'root/metrics/*.parquet'`` read it as it stands. ``benchsuite.store.publication`` tells how a
result gets there whole or not at all, whatever is killed on the way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import pyarrow as pa

from benchsuite.errors import BenchsuiteError, UsageError, unknown_name
from benchsuite.files import durable
from benchsuite.files.disk_space import free_bytes, readable_size
from benchsuite.store import publication
from benchsuite.store.errors import explain, explained
from benchsuite.store.identity import check_run_id, new_run_id, result_identity
from benchsuite.store.parquet_file import choose, read_parquet
from benchsuite.store.staging import Staging, table_schema

_DAMAGED = "Put back a copy of it, or take the run's file out of every table"

__all__ = ["Staging", "Store", "new_run_id", "result_identity"]


class Store:
    """A folder of results. Opening one that is not there is not an error: it is empty.

    Any number of processes may write and read it at once. A reader needs no right to write.

    Args:
        root: the store's folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    # --- writing ----------------------------------------------------------------------------

    def check_writable(self, needed_bytes: int) -> None:
        """Try the store before work is put into a run.

        Args:
            needed_bytes: what the run's files will take, roughly.

        Raises:
            BenchsuiteError: the store cannot be made or written, or its disk is too full.
        """
        with explained(self.root, "the store cannot be written"):
            publication.make_store(self.root)
            with TemporaryFile(dir=self.root) as probe:
                probe.write(b"\0" * 4096)
                probe.flush()
                os.fsync(probe.fileno())
            free = free_bytes(self.root)
        if free < needed_bytes:
            raise BenchsuiteError(
                f"{self.root}: the disk has {readable_size(free)} free, the results need about "
                f"{readable_size(needed_bytes)}. Free some space, or choose another disk "
                "with --out DIR"
            )

    @contextmanager
    def stage(self, run_id: str) -> Iterator[Staging]:
        """Write one run: ``with store.stage(run_id) as staging: staging.write("metrics", data)``.

        When the block ends, the run is stored, and survives a crash of the machine; then
        ``staging.paths`` says where. If the block raises, nothing of it is kept.

        Raises:
            ContractError: the run id is no file name, or a table does not fit.
            BenchsuiteError: the run id is taken, or the store cannot be written or is full.
        """
        check_run_id(run_id)
        failed = f"run {run_id} could not be stored, nothing of it is kept"
        with explained(self.root, failed):
            self.recover()
            publication.make_store(self.root)
            lock = publication.writer_lock(self.root, run_id)
            if not lock.acquire():
                raise self._taken(run_id, f"is being written by {lock.holder()}")
        staged = publication.staged_folder(self.root, run_id)
        try:
            with explained(self.root, failed):
                durable.remove_tree(staged)
                staged.mkdir()
            # Only now: from here on nobody else can store a run of this id.
            if self._is_known(run_id):
                raise self._taken(run_id, "is stored already, and results are never rewritten")
            staging = Staging(self.root, run_id)
            try:
                yield staging
            except OSError as error:
                # A file that the caller streams fails in the caller's own code.
                if error.errno in durable.FULL:
                    raise explain(self.root, failed, error) from error
                raise
            with explained(self.root, failed):
                staging.check()
                publication.seal(self.root, run_id)
                publication.commit(self.root, run_id)
            with explained(
                self.root,
                f"run {run_id} is stored and nothing is lost, but its files could not be moved "
                "into their tables; the next command that opens the store does that",
            ):
                publication.publish(self.root, run_id)
            staging.stored()
        finally:
            durable.remove_tree(staged)
            lock.release()

    def recover(self) -> None:
        """Finish what killed processes have left: publish committed runs, sweep staged ones.

        Every ``stage`` begins with it, and reading publishes what it finds committed. Safe at any
        time, in several processes at once.

        Raises:
            BenchsuiteError: the store cannot be written.
        """
        with explained(self.root, "unfinished runs could not be tidied up"):
            publication.roll_forward(self.root)
            publication.sweep(self.root)

    # --- reading ----------------------------------------------------------------------------

    def runs(self) -> pa.Table:
        """All runs, ``schemas.RUNS``, ordered by run id and so by time."""
        return self.read("runs")

    def run_ids(self) -> list[str]:
        """The ids of all runs, in order."""
        # Committed ones first: a run may move from there to here between the two looks.
        committed = publication.committed_runs(self.root)
        published = [path.stem for path in (self.root / "runs").glob("*.parquet")]
        return sorted({*committed, *published})

    def find_run(self, given: str) -> str:
        """The run that an id, or the beginning of one that fits no other, names.

        Raises:
            UsageError: no such run, or several.
        """
        every = self.run_ids()
        fitting = [run_id for run_id in every if run_id.startswith(given)]
        if given in every or len(fitting) == 1:
            return given if given in every else fitting[0]
        if not fitting:
            raise unknown_name("run", given, every, hint=f"(in the store {self.root})")
        raise UsageError(
            f"{given!r} is the beginning of {len(fitting)} runs: {', '.join(fitting[:5])}"
        )

    def read(
        self,
        table: str,
        run_ids: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """One table of some runs (all by default), run after run in the order given.

        Runs that have no such table contribute no rows. Runs that are not wholly stored are not
        seen.

        Raises:
            UsageError: no such table, run or column.
        """
        schema = table_schema(table)
        if schema is not None and columns is not None:
            for name in columns:
                if name not in schema.names:
                    raise unknown_name(f"column of table {table!r}", name, schema.names)
        self._publish_committed()
        wanted = self.run_ids() if run_ids is None else list(run_ids)
        if run_ids is not None:
            self._check_known(wanted)
        return self._read_files(table, schema, wanted, columns)

    def read_run(self, run_id: str) -> dict[str, pa.Table]:
        """All tables that a run has, by name.

        Raises:
            UsageError: no such run.
        """
        self._check_known([run_id])
        return {table: self.read(table, [run_id]) for table in sorted(self._files(run_id))}

    def path(self, table: str, run_id: str) -> Path:
        """Where a run's table lies.

        Raises:
            UsageError: no such run or table.
        """
        table_schema(table)
        self._publish_committed()
        self._check_known([run_id])
        files = self._files(run_id)
        if table not in files:
            raise unknown_name(f"table of run {run_id}", table, files)
        return files[table]

    def find_result(self, result_id: str) -> pa.Table:
        """The runs that have a result id, ``schemas.RUNS``, oldest first; empty if there is none.

        All of them hold the same numbers.
        """
        import pyarrow.compute as pc

        runs = self.runs()
        return runs.filter(pc.equal(runs["result_id"], pa.scalar(result_id)))

    # --- the files --------------------------------------------------------------------------

    def _files(self, run_id: str) -> dict[str, Path]:
        """Table to file of one run, wherever they are at this moment."""
        # In this order, here and below: files move from the first place to the second.
        waiting = publication.committed_folder(self.root, run_id).glob("*.parquet")
        files = {path.stem: path for path in waiting}
        for table in publication.published_tables(self.root, run_id):
            files[table] = publication.table_file(self.root, table, run_id)
        return files

    def _files_of_table(self, table: str) -> dict[str, Path]:
        """Run to file of one table, of runs that are not wholly stored too."""
        files = {}
        for run_id in publication.committed_runs(self.root):
            path = publication.committed_folder(self.root, run_id) / f"{table}.parquet"
            if path.exists():
                files[run_id] = path
        for path in (self.root / table).glob("*.parquet"):
            files[path.stem] = path
        return files

    def _read_files(
        self,
        table: str,
        schema: pa.Schema | None,
        run_ids: Sequence[str],
        columns: Sequence[str] | None,
    ) -> pa.Table:
        tried: list[Path] = []
        while True:
            files = self._files_of_table(table)
            paths = [files[run_id] for run_id in run_ids if run_id in files]
            try:
                tables = [read_parquet(path, schema, columns, remedy=_DAMAGED) for path in paths]
            except FileNotFoundError:
                # Another process has published one of them since; each file moves once at most.
                if paths == tried:
                    raise
                tried = paths
            else:
                return _concatenate(tables, schema, columns)

    def _is_known(self, run_id: str) -> bool:
        committed = publication.committed_folder(self.root, run_id).exists()
        report = publication.report_folder(self.root, run_id)
        return committed or bool(self._files(run_id)) or report.exists()

    def _check_known(self, run_ids: Sequence[str]) -> None:
        known = set(self.run_ids())
        for run_id in run_ids:
            if run_id not in known:
                raise unknown_name("run", run_id, known, hint=f"(in the store {self.root})")

    def _taken(self, run_id: str, reason: str) -> BenchsuiteError:
        return BenchsuiteError(
            f"{self.root}: run {run_id} {reason}. Every run needs an id of its own (new_run_id)"
        )

    def _publish_committed(self) -> None:
        """Publish what killed processes have left, where this process may; reading goes on
        without: committed files are read where they lie."""
        try:
            publication.roll_forward(self.root)
        except OSError as error:
            if error.errno not in durable.FORBIDDEN | durable.FULL:
                raise explain(self.root, "committed runs could not be published", error) from error


def _concatenate(
    tables: Sequence[pa.Table], schema: pa.Schema | None, columns: Sequence[str] | None
) -> pa.Table:
    if schema is None:
        return pa.concat_tables(tables, promote_options="permissive") if tables else pa.table({})
    return pa.concat_tables([choose(schema, columns).empty_table(), *tables])
