"""Writing large files somewhere, with errors that help where the system says no."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchsuite.errors import BenchsuiteError
from benchsuite.files.durable import FORBIDDEN, FULL, make_folder


@contextmanager
def writing_in(folder: Path) -> Iterator[None]:
    """Make a folder and write in it.

    Raises:
        BenchsuiteError: it cannot be made or written, or the disk is full.
    """
    try:
        make_folder(folder)
        yield
    except OSError as error:
        if error.errno in FULL:
            raise BenchsuiteError(
                f"the disk is full at {folder.absolute()}; what has come is kept. Make room there "
                "and run the same command again"
            ) from error
        if error.errno in FORBIDDEN or isinstance(error, NotADirectoryError | FileExistsError):
            raise BenchsuiteError(
                f"cannot write in {folder.absolute()}: {error.strerror}. Choose a folder that can "
                "be written"
            ) from error
        raise
