"""Leaderboards from a store: a folder of pages that needs no server and no JavaScript.

::

    index.html                   every leaderboard with its leaders, and the latest runs
    bbox/coco-val2017.html       a leaderboard; .csv, .md and .parquet hold the same table
    runs/<run_id>.html           a run's own page
    site.json                    which files these are
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchsuite.report.board_page import render_board
from benchsuite.report.board_table import board_columns, board_rows, to_csv, to_markdown, to_parquet
from benchsuite.report.boards import Board, BoardKey, Latency, make_boards
from benchsuite.report.file_names import distinct_slugs
from benchsuite.report.index_page import render_index
from benchsuite.report.naming import Run
from benchsuite.report.run_page import render_run
from benchsuite.report.site_files import SiteFile, read_manifest, still_good, write_files
from benchsuite.schemas import STORE_TABLES
from benchsuite.store.results_store import Store
from benchsuite.throughput import summarise

_CURVE_COLUMNS = [
    "task",
    "category_id",
    "iou",
    "area",
    "max_detections",
    "recall",
    "precision",
]


def write_site(store_root: Path, out: Path = Path("leaderboards")) -> list[Path]:
    """Write the leaderboards of a store. The same store gives the same bytes.

    Args:
        store_root: the store's folder; one that is not there is an empty store.
        out: the folder to write into. Only files that an earlier call wrote there are replaced or
            removed.

    Returns:
        The files that make up the site.

    Raises:
        BenchsuiteError: the folder cannot be written, or holds a foreign file of a page's name.
    """
    reader = _Reader(Store(store_root))
    runs = reader.runs.to_pylist()
    boards = make_boards(runs, reader.metrics, reader.latencies())
    slugs = distinct_slugs(run["run_id"] for run in runs)
    run_files = {run_id: f"runs/{stem}.html" for run_id, stem in slugs.items()}
    board_files = _board_files(boards)
    index = render_index(
        boards,
        runs,
        board_href=lambda board: f"{board_files[board.key]}.html",
        run_href=run_files.__getitem__,
    )
    written = {"index.html": SiteFile(index.encode())}
    for board in boards:
        written |= _board(board, board_files[board.key], reader, run_files)
    earlier = read_manifest(out)
    for run in runs:
        name, made_of = run_files[run["run_id"]], reader.digest(run["run_id"])
        kept = still_good(out, name, made_of, earlier)
        written[name] = kept or SiteFile(_run(run, reader).encode(), made_of)
    return write_files(out, written)


def _board(
    board: Board, stem: str, reader: _Reader, run_files: Mapping[str, str]
) -> dict[str, SiteFile]:
    columns, rows = board_columns(board), board_rows(board)
    name = stem.rpartition("/")[2]
    page = render_board(
        board,
        columns,
        rows,
        reader.rows_of,
        home="../index.html",
        run_href=lambda run_id: f"../{run_files[run_id]}",
        downloads=[
            ("CSV", f"{name}.csv"),
            ("Markdown", f"{name}.md"),
            ("Parquet", f"{name}.parquet"),
        ],
    )
    return {
        f"{stem}.html": SiteFile(page.encode()),
        f"{stem}.csv": SiteFile(to_csv(columns, rows).encode()),
        f"{stem}.md": SiteFile(to_markdown(columns, rows, board.title).encode()),
        f"{stem}.parquet": SiteFile(to_parquet(columns, rows)),
    }


def _run(run: Run, reader: _Reader) -> str:
    tables = ("metrics", "per_class", "pr_curves", "throughput", "environment")
    return render_run(
        run, *(reader.rows_of(table, run["run_id"]) for table in tables), home="../index.html"
    )


class _Reader:
    """The store's tables: small ones read at once, large ones a run at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.runs = store.runs()
        self.metrics = store.read("metrics")
        self._of_runs = {
            "metrics": _by_run(self.metrics),
            "per_class": _by_run(store.read("per_class")),
            "environment": _by_run(store.read("environment")),
        }

    def rows_of(self, table: str, run_id: str) -> pa.Table:
        """One run's rows of a table; of curves, the columns that are drawn."""
        if table in self._of_runs:
            empty = STORE_TABLES[table].empty_table()
            return self._of_runs[table].get(run_id, empty)
        columns = _CURVE_COLUMNS if table == "pr_curves" else None
        return self._store.read(table, [run_id], columns)

    def latencies(self) -> dict[str, Latency]:
        run_ids = [str(run_id) for run_id in self.runs["run_id"].to_pylist()]
        return {run_id: summarise(self.rows_of("throughput", run_id)) for run_id in run_ids}

    def digest(self, run_id: str) -> str:
        """Changes when a run's page must be drawn anew.

        A run's files are never rewritten, so that their names and sizes stand for their content.
        """
        digest = sha256(_drawn_by().encode())
        for table in STORE_TABLES:
            path = self._store.root / table / f"{run_id}.parquet"
            size = path.stat().st_size if path.is_file() else -1
            digest.update(f"\0{table}/{run_id} {size}".encode())
        return digest.hexdigest()


def _by_run(table: pa.Table) -> dict[str, pa.Table]:
    """A table cut into the runs that it holds one after the other."""
    runs = table["run_id"].combine_chunks().dictionary_encode()
    codes = runs.indices.to_numpy()
    starts = np.flatnonzero(np.diff(codes, prepend=-1)).tolist()
    cut: dict[str, list[pa.Table]] = {}
    for start, end in zip(starts, [*starts[1:], len(codes)]):
        run_id = runs.dictionary[int(codes[start])].as_py()
        cut.setdefault(run_id, []).append(table.slice(start, end - start))
    return {run_id: pa.concat_tables(parts) for run_id, parts in cut.items()}


@cache
def _drawn_by() -> str:
    """A digest of the code that draws: the host, this package, and what renders the plots."""
    digest = sha256(version("vl-convert-python").encode())
    host = files("benchsuite")
    folders = (host, host / "report", host / "report" / "templates")
    for path in sorted((p for folder in folders for p in folder.iterdir()), key=lambda p: p.name):
        if path.is_file() and path.name.endswith((".py", ".html", ".css", ".js")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _board_files(boards: Sequence[Board]) -> dict[BoardKey, str]:
    """A board's path without its ending: the metric's folder, then dataset and split.

    Of boards that differ in their annotations alone the oldest has the plain name, so that its
    address stays when another comes.
    """
    folders = distinct_slugs(board.key.prefix for board in boards)
    names: dict[str, BoardKey] = {}
    for board in sorted(boards, key=lambda board: (board.since, board.key.annotation_sha256)):
        key = board.key
        name = f"{key.prefix}/{key.dataset}-{key.split}"
        names[f"{name}-{key.annotation_sha256[:8]}" if name in names else name] = key
    stems = distinct_slugs(names)
    return {
        key: f"{folders[key.prefix]}/{stems[name].removeprefix(f'{folders[key.prefix]}-')}"
        for name, key in names.items()
    }
