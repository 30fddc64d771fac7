"""Zip archives, opened only if what they unpack to is in proportion to the file."""

from __future__ import annotations

import zipfile
from pathlib import Path

from benchsuite.errors import InputError

EXPANSION = 20
"""Weights are noise and hardly compress; an archive may be this many times its size unpacked ..."""

ALWAYS = 64 * 2**20
"""... or this many bytes, whichever is more: a small file may hold nothing but zeros."""


def open_archive(path: Path) -> zipfile.ZipFile:
    """The archive.

    Raises:
        InputError: it is truncated or damaged, or unpacks to far more than the file.
    """
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise InputError(
            f"is truncated or damaged ({error})", file=path, remedy="Get it again"
        ) from None
    unpacked, size = sum(info.file_size for info in archive.infolist()), path.stat().st_size
    if unpacked > max(ALWAYS, EXPANSION * size):
        archive.close()
        raise InputError(
            f"refused: {size} bytes that would unpack to {unpacked}",
            file=path,
            remedy="Save the weights uncompressed if they are meant to be so uniform",
        )
    return archive
