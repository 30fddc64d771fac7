"""A folder that is replaced as a whole: who looks finds the old one or the new one, and after a
crash one of the two.

A full folder cannot be renamed over another on any platform, so that the old one is moved aside
first. A crash between the two renames leaves the new one whole beside its place, where ``recover``
finds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchsuite.files import durable


@contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """A new, empty folder, which is in the place of ``path`` when the block ends; an error in the
    block leaves ``path`` as it is. The folder above must be there.

    One process at a time may replace a folder.
    """
    recover(path)
    begun = _beside(path, "begun")
    durable.remove_tree(begun)
    begun.mkdir()
    try:
        yield begun
    except BaseException:
        durable.remove_tree(begun)
        raise
    durable.sync_tree(begun)
    whole = _beside(path, "whole")
    begun.rename(whole)
    durable.sync_folder(path.parent)
    _put_in_place(whole, path)


def recover(path: Path) -> None:
    """Finish what a crash interrupted; nothing where nothing was."""
    whole = _beside(path, "whole")
    if whole.is_dir():
        _put_in_place(whole, path)


def _put_in_place(whole: Path, path: Path) -> None:
    old = _beside(path, "old")
    durable.remove_tree(old)
    if path.exists():
        path.rename(old)
    whole.rename(path)
    durable.sync_folder(path.parent)
    durable.remove_tree(old)


def _beside(path: Path, state: str) -> Path:
    return path.with_name(f".{path.name}.{state}")
