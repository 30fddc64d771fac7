"""Whether something fits on a disk, asked before it is written; and sizes as people read them."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchsuite.errors import BenchsuiteError

_UNITS = ("B", "kB", "MB", "GB", "TB")


def readable_size(count: float) -> str:
    """Bytes as a short text in decimal units: ``815585330`` is ``"816 MB"``."""
    unit = 0
    while count >= 999.5 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    digits = 1 if unit and count < 99.95 else 0
    return f"{count:.{digits}f} {_UNITS[unit]}"


def free_bytes(folder: Path) -> int:
    """Bytes that may still be written at ``folder``, which need not be there yet."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def require_space(folder: Path, needed: int, purpose: str) -> None:
    """Nothing, if ``needed`` bytes fit at ``folder``.

    Args:
        purpose: what the space is for, as a clause (``"to download val2017.zip"``).

    Raises:
        BenchsuiteError: they do not; names the need, the place and what is free there.
    """
    free = free_bytes(folder)
    if needed > free:
        raise BenchsuiteError(
            f"{readable_size(needed)} are needed {purpose}, but only {readable_size(free)} are "
            f"free at {folder.absolute()}. Make room there, or choose another place"
        )
