"""Objects sent to another process with their arrays in shared memory.

An object is pickled; the arrays in it are not, but copied into an anonymous file in memory whose
descriptor goes along. The receiver's arrays lie in that file: nothing is copied there, and several
receivers of one file share it. The file is gone when nobody has it open, whatever happens to the
processes; and it does not count against ``/dev/shm``, which containers keep small.

Where the system has no such files, the arrays go through the pipe with the rest.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from mmap import ACCESS_READ, ACCESS_WRITE, mmap
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any

_ALIGNMENT = 64
_SUPPORTED = hasattr(os, "memfd_create")


@dataclass(frozen=True, slots=True)
class _Head:
    """What goes through the pipe.

    Attributes:
        pickled: the object without its arrays.
        places: where each array begins and ends in the file.
        arrays: the arrays, where there is no file.
    """

    pickled: bytes
    places: tuple[tuple[int, int], ...] = ()
    arrays: tuple[bytes, ...] = ()


@dataclass(slots=True)
class SharedObject:
    """An object ready to be sent, as often as wanted.

    Attributes:
        size: bytes of its arrays.
    """

    size: int
    _head: bytes
    _file: int | None = field(default=None)

    @classmethod
    def of(cls, value: Any) -> SharedObject:
        """An object that can be pickled; it must be closed. Only arrays that are contiguous in
        memory are shared."""
        buffers: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        views = [buffer.raw() for buffer in buffers]
        places, end = [], 0
        for view in views:
            start = -(-end // _ALIGNMENT) * _ALIGNMENT
            end = start + view.nbytes
            places.append((start, end))
        if not _SUPPORTED or not end:
            head = _Head(pickled, arrays=tuple(view.tobytes() for view in views))
            return cls(end, pickle.dumps(head))
        file = os.memfd_create("benchsuite", os.MFD_CLOEXEC)
        try:
            os.truncate(file, end)
            for view, (start, _) in zip(views, places):
                _write(file, view, start)
        except BaseException:
            os.close(file)
            raise
        return cls(end, pickle.dumps(_Head(pickled, tuple(places))), file)

    def send(self, connection: Connection, process: int) -> None:
        """Send it to the process of that number, which must ``receive`` it."""
        connection.send_bytes(self._head)
        if self._file is not None:
            reduction.send_handle(connection, self._file, process)

    def close(self) -> None:
        """Let go of the shared memory; receivers keep it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> SharedObject:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def receive(connection: Connection, *, writable: bool) -> Any:
    """The next object that was sent.

    Args:
        writable: whether its arrays may be written to; what is written other receivers see.

    Raises:
        EOFError: the sender is gone.
    """
    head = pickle.loads(connection.recv_bytes())
    if not head.places:
        buffers: Sequence[Any] = [bytearray(each) if writable else each for each in head.arrays]
        return pickle.loads(head.pickled, buffers=buffers)
    file = reduction.recv_handle(connection)
    try:
        shared = memoryview(mmap(file, 0, access=ACCESS_WRITE if writable else ACCESS_READ))
    finally:
        os.close(file)
    return pickle.loads(head.pickled, buffers=[shared[start:end] for start, end in head.places])


def _write(file: int, view: memoryview, at: int) -> None:
    """The whole of a view; one call may write less."""
    while view.nbytes:
        written = os.pwrite(file, view, at)
        view, at = view[written:], at + written
