"""How a result becomes visible: staged, committed in one rename, published table by table.

A run's files are written to ``.staging/<run_id>/``. When all of them are on the disk, one rename
of that folder to ``.committed/<run_id>/`` makes the result exist: before it there is nothing, after
it there is everything. Publishing then moves each file into its table's folder, ``runs`` last. It
only moves, so that any process can go on where a killed one stopped, and several may at once.

Whoever stages holds the lock ``.staging/<run_id>.lock``; a staged folder whose lock is free has
lost its writer and is swept.
"""

from __future__ import annotations

import time
from pathlib import Path

from benchsuite.files import durable
from benchsuite.files.file_lock import FileLock

STAGING = ".staging"
COMMITTED = ".committed"
REPORTS = "reports"
_SUFFIX = ".parquet"
_LOCK = ".lock"
_LOCK_TO_FOLDER_SECONDS = 60.0


def staged_folder(root: Path, run_id: str) -> Path:
    """Where a run's files are written."""
    return root / STAGING / run_id


def committed_folder(root: Path, run_id: str) -> Path:
    """Where a run's files lie between commit and publication."""
    return root / COMMITTED / run_id


def table_file(root: Path, table: str, run_id: str) -> Path:
    """Where a run's table lies once published."""
    return root / table / f"{run_id}{_SUFFIX}"


def report_folder(root: Path, run_id: str) -> Path:
    """Where a run's pages lie once published."""
    return root / REPORTS / run_id


def writer_lock(root: Path, run_id: str) -> FileLock:
    """The lock that a run's writer holds."""
    return FileLock(root / STAGING / f"{run_id}{_LOCK}")


def make_store(root: Path) -> None:
    """Make the store's folder, with the two that the protocol needs."""
    for folder in (root / STAGING, root / COMMITTED):
        durable.make_folder(folder)


def seal(root: Path, run_id: str) -> None:
    """Bring a staged run to the disk, and make the folders that its files will go to.

    Everything that needs space happens here: commit and publication only move.
    """
    staged = staged_folder(root, run_id)
    durable.sync_tree(staged)
    for path in sorted(staged.iterdir()):
        durable.make_folder(root / path.name.removesuffix(_SUFFIX))


def commit(root: Path, run_id: str) -> None:
    """Make a sealed run exist."""
    durable.rename(staged_folder(root, run_id), committed_folder(root, run_id))


def publish(root: Path, run_id: str) -> None:
    """Move a committed run's files into their tables; nothing if another process has done it.

    When this returns, the run survives the machine's crash.
    """
    committed = committed_folder(root, run_id)
    durable.sync_folder(root / COMMITTED)
    durable.sync_folder(root / STAGING)
    try:
        names = sorted(path.name for path in committed.iterdir())
    except FileNotFoundError:
        return
    runs = f"runs{_SUFFIX}"
    for name in names:
        if name != runs:
            _move(root, committed / name)
    # All of the run's, not only those that this process moved: another one may be at it too.
    durable.sync_folders([root / table for table in published_tables(root, run_id)])
    if report_folder(root, run_id).exists():
        durable.sync_folder(root / REPORTS)
    if runs in names:
        _move(root, committed / runs)
        durable.sync_folder(root / "runs")
    durable.remove_folder(committed)
    durable.sync_folder(root / COMMITTED)


def _move(root: Path, source: Path) -> None:
    run_id = source.parent.name
    if source.name == REPORTS:
        target = report_folder(root, run_id)
    else:
        target = table_file(root, source.name.removesuffix(_SUFFIX), run_id)
    durable.make_folder(target.parent)
    try:
        durable.rename(source, target)
    except FileNotFoundError:
        if source.exists():
            raise


def published_tables(root: Path, run_id: str) -> list[str]:
    """The tables that a run has in the store, as far as it is published."""
    return [path.parent.name for path in sorted(root.glob(f"*/{run_id}{_SUFFIX}"))]


def committed_runs(root: Path) -> list[str]:
    """Runs that are committed and not (wholly) published."""
    folder = root / COMMITTED
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def roll_forward(root: Path) -> None:
    """Publish every committed run."""
    for run_id in committed_runs(root):
        publish(root, run_id)


def sweep(root: Path) -> None:
    """Remove staged runs whose writer is gone."""
    folder = root / STAGING
    if not folder.is_dir():
        return
    for run_id in sorted({path.name.partition(".")[0] for path in folder.iterdir()}):
        if not staged_folder(root, run_id).exists() and not _is_left_lock(root, run_id):
            continue
        lock = writer_lock(root, run_id)
        if lock.acquire():
            try:
                durable.remove_tree(staged_folder(root, run_id))
            finally:
                lock.release()


def _is_left_lock(root: Path, run_id: str) -> bool:
    """Whether a lock without a folder is a killed writer's.

    A writer takes its lock first and makes its folder at once; trying the lock of one that is just
    about to would make that one believe that its run id is taken.
    """
    try:
        made = writer_lock(root, run_id).path.stat().st_mtime
    except FileNotFoundError:
        return False
    return time.time() - made > _LOCK_TO_FOLDER_SECONDS
