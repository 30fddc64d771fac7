"""Splits in the cache: written once, whole or not at all, and looked at before each use."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from benchsuite.errors import BenchsuiteError
from benchsuite_plugins.datasets.shapes.options import ShapesOptions
from benchsuite_plugins.datasets.shapes.split import GENERATOR, MANIFEST, sha256, write_split

_log = logging.getLogger(__name__)

_OCCUPIED = {errno.EEXIST, errno.ENOTEMPTY}
_TRIES = 5


def split_folder(cache: Path, options: ShapesOptions, split: str) -> Path:
    """Where a split is kept: another generator or other options, another folder."""
    key = json.dumps({"generator": GENERATOR, **asdict(options)}, sort_keys=True)
    return cache / "shapes" / hashlib.sha256(key.encode("ascii")).hexdigest()[:12] / split


def cached_split(
    cache: Path,
    options: ShapesOptions,
    split: str,
    write: Callable[[Path], object] | None = None,
) -> Path:
    """The folder of a split, written first if it is not there or is damaged.

    Several processes may ask at once: each writes into a folder of its own, one of these becomes
    the split, and the others are removed.

    Args:
        write: fills a new folder; default: ``write_split`` without progress.

    Raises:
        BenchsuiteError: the cache cannot be written.
    """
    folder = split_folder(cache, options, split)
    for _ in range(_TRIES):
        damage = find_damage(folder)
        if damage is None:
            return folder
        if folder.exists():
            _log.warning("%s: %s; it is drawn again", folder, damage)
        try:
            _publish(folder, write or (lambda new: write_split(new, options, split, _silent)))
        except OSError as error:
            raise BenchsuiteError(
                f"shapes/{split} cannot be written to {folder}: {error.strerror or error}."
                " Free space there, or name another folder in $BENCHSUITE_CACHE"
            ) from error
    raise BenchsuiteError(f"{folder}: {find_damage(folder)}, after being written {_TRIES} times")


def _silent(count: int) -> None:
    """Progress that nobody looks at."""


def find_damage(folder: Path) -> str | None:
    """What is wrong with a split on disk, or ``None``.

    File names and sizes are compared with the manifest, the annotation files by their hash.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        sizes: dict[str, int] = manifest["sizes"]
        digests: dict[str, str] = manifest["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"its {MANIFEST} is missing or unreadable ({type(error).__name__})"
    try:
        found = {
            f"{kind}/{entry.name}": entry.stat().st_size
            for kind in ("images", "panoptic")
            for entry in os.scandir(folder / kind)
        }
        for name, digest in digests.items():
            if sha256((folder / name).read_bytes()) != digest:
                return f"{name} is not what was written"
    except OSError as error:
        return f"{error.filename} is missing or unreadable"
    wrong = sorted(
        name for name in sizes.keys() | found.keys() if sizes.get(name) != found.get(name)
    )
    return f"{wrong[0]} is missing, new or of another size" if wrong else None


def _publish(folder: Path, write: Callable[[Path], object]) -> None:
    """Write beside ``folder``, then take its place unless somebody else's whole one is there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{folder.name}-", dir=folder.parent, ignore_cleanup_errors=True
    ) as staging:
        new = Path(staging) / "new"
        new.mkdir()
        write(new)
        if folder.exists() and find_damage(folder) is not None:
            # Another process may have moved the damaged one away first.
            with suppress(FileNotFoundError):
                folder.rename(Path(staging) / "old")
        try:
            new.rename(folder)
        except OSError as error:
            if error.errno not in _OCCUPIED:
                raise
