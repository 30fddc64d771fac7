"""Digests of large files, remembered for as long as the file has not changed."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchsuite.files.digests import digest_file

LARGE = 32 << 20
"""Files below this many bytes are hashed each time: that takes less than being sure costs."""

_log = logging.getLogger(__name__)

# A file that was changed within this time of being hashed may change again within the clock's
# resolution, and show the same time of change.
_SETTLED_NS = 2_000_000_000


def remembered_digests(path: Path, algorithms: Sequence[str], folder: Path) -> dict[str, str]:
    """Hash function to hexadecimal digest of a file's bytes.

    Those of a large file are taken from ``folder``, where they were put when the file was last
    hashed, if its size, time of change and inode are still the same.
    """
    before = path.stat()
    if before.st_size < LARGE:
        return digest_file(path, algorithms)
    key = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()
    record = folder / f"{key[:32]}.json"
    known = _read(record)
    if known.get("file") != _state(before):
        known = {}
    remembered: dict[str, str] = known.get("digests", {})
    if not set(algorithms) <= set(remembered):
        remembered = remembered | digest_file(path, algorithms)
        settled = time.time_ns() - before.st_mtime_ns > _SETTLED_NS
        if settled and _state(path.stat()) == _state(before):
            _write(record, {"path": str(path), "file": _state(before), "digests": remembered})
    return {algorithm: remembered[algorithm] for algorithm in algorithms}


def _state(status: os.stat_result) -> list[int]:
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def _read(record: Path) -> dict[str, Any]:
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(record: Path, content: dict[str, Any]) -> None:
    staging = record.with_name(f"{record.name}.{os.getpid()}")
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        staging.write_text(json.dumps(content), encoding="utf-8")
        staging.replace(record)
    except OSError as error:
        # Only time is lost: the next command hashes the file again.
        _log.info("cannot remember the digests of %s: %s", content["path"], error)
