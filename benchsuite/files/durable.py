"""Files that outlive a crash: fsync, rename, and nothing cleverer, on every platform.

The callers order these steps; a file's content is on the disk before the rename that makes it
visible, and the rename is on the disk before anybody is told of it.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the operating system says of a disk, or a quota, that is full."""

FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""What it says of a place that must not be written."""

_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP})


def write_file(path: Path, data: bytes) -> None:
    """Write a new file and bring its content to the disk. Raises ``FileExistsError``."""
    with path.open("xb") as file:
        file.write(data)
    sync_file(path)


def sync_file(path: Path) -> None:
    """Bring a file's content to the disk, whoever wrote it."""
    # Windows flushes only through a handle that may write.
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Bring a folder's entries to the disk, where the platform has a call for that."""
    if sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems write entries through and refuse the call.
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Bring everything in and below a folder to the disk, innermost first."""
    paths = sorted(folder.iterdir())
    for path in paths:
        if path.is_dir():
            sync_tree(path)
    _together(sync_file, [path for path in paths if not path.is_dir()])
    sync_folder(folder)


def sync_folders(paths: Sequence[Path]) -> None:
    """Bring the entries of several folders to the disk, in no order."""
    _together(sync_folder, paths)


def _together(sync: Callable[[Path], None], paths: Sequence[Path]) -> None:
    """Sync many at the same time: the file system's journal takes them in one go."""
    with ThreadPoolExecutor(max_workers=16) as threads:
        for _ in threads.map(sync, paths):
            pass


def make_folder(path: Path) -> None:
    """Make a folder and those above it; their entries are on the disk. Nothing if it is there."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def rename(source: Path, target: Path) -> None:
    """Move a file or a folder within one file system, in one step.

    Raises:
        FileNotFoundError: ``source`` is not there (any more).
        FileExistsError: there is something at ``target``.
    """
    # In this order: while another process moves the same file, one of the two questions says no.
    if target.exists() and source.exists():
        raise FileExistsError(errno.EEXIST, "is there already, and is never rewritten", str(target))
    source.rename(target)


def remove_folder(path: Path) -> None:
    """Remove an empty folder; nothing if another process was faster."""
    try:
        path.rmdir()
    except FileNotFoundError:
        return


def remove_tree(path: Path) -> None:
    """Remove a folder with all that is in it; nothing if it is not there."""
    if path.exists():
        shutil.rmtree(path)
