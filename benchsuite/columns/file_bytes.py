"""A file's bytes, read whole, and their hash, which another thread computes meanwhile."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from benchsuite.errors import DataMissingError, InputError
from benchsuite_kernels.columns.coco_json import PADDING

_CHUNK = 1 << 20


class FileBytes:
    """What a file holds.

    Args:
        path: where it is.
        what: what messages call it (``"annotation file"``).

    Attributes:
        path: where it is.
        buffer: (at least ``size + PADDING``,) uint8, the bytes and room behind them, as
            ``benchsuite_kernels.columns.coco_json`` takes them. Whoever writes to them calls
            ``finish_hash`` before.
        size: how many bytes it holds.

    Raises:
        DataMissingError: there is no such file.
        InputError: it cannot be read.
    """

    def __init__(self, path: Path, *, what: str) -> None:
        self.path = path
        try:
            self.buffer, self.size = _read(path)
        except FileNotFoundError:
            raise DataMissingError(
                f"the {what} {path} is not there (looked in {path.parent.absolute()})"
            ) from None
        except OSError as error:
            raise InputError(
                f"the {what} cannot be read: {error.strerror or error}", file=path
            ) from error
        self._hash = hashlib.sha256()
        self._hashing = Thread(target=self._hash.update, args=(self.buffer[: self.size],))
        self._hashing.start()

    @property
    def sha256(self) -> str:
        """Of the bytes, as hexadecimal digits."""
        self.finish_hash()
        return self._hash.hexdigest()

    def finish_hash(self) -> None:
        """Returns when the bytes are not needed for the hash any more."""
        self._hashing.join()

    def let_go(self) -> None:
        """Lets go of the bytes; the hash can still be had."""
        self.buffer = np.empty(0, np.uint8)

    def text(self) -> bytes:
        """A copy of the bytes."""
        return self.buffer[: self.size].tobytes()


def _read(path: Path) -> tuple[NDArray[np.uint8], int]:
    """The file's bytes, with room behind them, and how many they are."""
    with path.open("rb", buffering=0) as file:
        # A pipe says that it holds nothing, and a file may grow.
        buffer, size = np.empty(os.fstat(file.fileno()).st_size + PADDING, np.uint8), 0
        while count := file.readinto(buffer[size:].data):
            size += count
            if len(buffer) - size < PADDING:
                buffer = np.concatenate([buffer, np.empty(len(buffer) + _CHUNK, np.uint8)])
    return buffer, size
