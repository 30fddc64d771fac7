"""Folders of text files of labels, one an image."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

CLASS_FILE = "classes.txt"
"""Names of classes, one a line, beside labels that do not say them all."""

_LONGEST = 10_000
"""Bytes of a line that are looked at to tell its format."""


def label_files(folder: Path, *, below: bool = True) -> list[Path]:
    """Every text file in a folder but for the list of classes, by name.

    Args:
        below: whether those in folders of it count, too.
    """
    found = folder.rglob("*.txt") if below else folder.glob("*.txt")
    return sorted(path for path in found if path.name != CLASS_FILE)


def first_line(files: Iterable[Path]) -> bytes | None:
    """The beginning of the first file that is not empty, up to its line's end."""
    for file in files:
        if file.stat().st_size:
            with file.open("rb") as opened:
                return opened.readline(_LONGEST)
    return None
