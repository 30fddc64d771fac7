"""One process at a time at a path; the others wait."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchsuite.files.file_lock import FileLock

_POLL_S = 0.2
_log = logging.getLogger(__name__)


@contextmanager
def exclusive(path: Path, doing: str) -> Iterator[None]:
    """Hold ``<path>.lock``; if another process has it, say so once and wait.

    Args:
        path: what is about to be made; its folder must be there.
        doing: what the holder does to it, for the message (``"downloading"``).
    """
    lock = FileLock(path.with_name(path.name + ".lock"))
    told = False
    while not lock.acquire():
        if not told:
            _log.warning("waiting for %s, which is %s %s", lock.holder(), doing, path)
            told = True
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        lock.release()
