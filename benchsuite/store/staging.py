"""The place where one run's files are written before any of them counts."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchsuite.columns.arrow_arrays import empty_table
from benchsuite.errors import ContractError, unknown_name
from benchsuite.schemas import STORE_TABLES
from benchsuite.store import publication
from benchsuite.store.errors import explained
from benchsuite.store.table_check import conform

MATCHES = "matches"


def table_schema(table: str) -> pa.Schema | None:
    """The schema of a store's table; ``None`` for ``matches`` and ``matches_<metric>``, which have
    whatever columns the metric gives them.

    Raises:
        UsageError: there is no such table.
    """
    if table in STORE_TABLES:
        return STORE_TABLES[table]
    if table == MATCHES or (table.startswith(f"{MATCHES}_") and table.isidentifier()):
        return None
    raise unknown_name("table", table, [*STORE_TABLES, MATCHES])


class Staging:
    """One run's files, not yet stored. Made by ``Store.stage``.

    Attributes:
        run_id: the run.
        folder: where its files are written.
        paths: filled when the run is stored: table to its final file, and a page's stem
            (``"report"``) to its final file.
    """

    def __init__(self, root: Path, run_id: str) -> None:
        self.run_id = run_id
        self.folder = publication.staged_folder(root, run_id)
        self.paths: dict[str, Path] = {}
        self._root = root

    def path(self, table: str) -> Path:
        """Where to write a table's Parquet file oneself; it is checked when the run is stored."""
        table_schema(table)
        return self.folder / f"{table}.parquet"

    def write(self, table: str, data: pa.Table) -> Path:
        """Write a table.

        Args:
            data: columns as in ``schemas.STORE_TABLES``; those that may be null may be missing.

        Raises:
            ContractError: a column is missing, unknown or of another type, ``run_id`` is not this
                run's, or the table is written already.
        """
        schema = table_schema(table)
        path = self.path(table)
        if path.exists():
            raise ContractError(f"table {table!r} of run {self.run_id} is written twice")
        if schema is not None:
            data = conform(data, schema, f"table {table!r} of run {self.run_id}")
            self._check_run_id(table, data)
        with explained(self._root, f"table {table!r} of run {self.run_id} could not be written"):
            pq.write_table(data, path, compression="zstd", write_page_checksum=True)
        return path

    def write_text(self, area: str, name: str, text: str) -> Path:
        """Write a page; ``area`` is ``"reports"``, ``name`` a plain file name."""
        if area != publication.REPORTS:
            raise unknown_name("area of pages", area, [publication.REPORTS])
        if Path(name).name != name:
            raise ContractError(f"{name!r} is not a plain file name")
        path = self.folder / area / name
        with explained(self._root, f"{name} of run {self.run_id} could not be written"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        return path

    def check(self) -> None:
        """Hold every staged file against its schema, those too that somebody else has written.

        Raises:
            ContractError: one of them is not a whole Parquet file or does not fit, or there is not
                exactly one row in ``runs``.
        """
        for path in sorted(self.folder.glob("*.parquet")):
            table, what = path.stem, f"table {path.stem!r} of run {self.run_id}"
            try:
                file = pq.ParquetFile(path)
            except pa.ArrowInvalid as error:
                raise ContractError(f"{what} is not a whole Parquet file: {error}") from error
            with file:
                if (schema := table_schema(table)) is None:
                    continue
                conform(empty_table(file.schema_arrow), schema, what)
                if "run_id" in schema.names:
                    self._check_run_id(table, file.read(columns=["run_id"]))
                if table == "runs" and file.metadata.num_rows != 1:
                    raise ContractError(f"{what} has {file.metadata.num_rows} rows, expected 1")
        if not self.path("runs").exists():
            raise ContractError(f"run {self.run_id} has no row in 'runs': it would not be found")

    def stored(self) -> None:
        """Fill ``paths``: the run is stored."""
        for table in publication.published_tables(self._root, self.run_id):
            self.paths[table] = publication.table_file(self._root, table, self.run_id)
        pages = publication.report_folder(self._root, self.run_id)
        if pages.is_dir():
            self.paths.update({page.stem: page for page in sorted(pages.iterdir())})

    def _check_run_id(self, table: str, data: pa.Table) -> None:
        if "run_id" not in data.column_names:
            return
        for run_id in data["run_id"].to_pylist():
            if run_id != self.run_id:
                raise ContractError(
                    f"table {table!r} of run {self.run_id} has a row of run {run_id!r}"
                )
