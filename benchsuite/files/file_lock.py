"""A lock between processes: a file that one process at a time holds, until it ends or lets go.

The operating system's own file locks do the work: they are gone with the process that held them,
however it died, so that no lock is ever left behind. A file system without such locks (some
cluster file systems) is served by the file's existence and the process id written into it.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    # Locked bytes cannot be read by others; one far behind the text locks nothing but itself.
    _BYTE = 1 << 30

    def _try_lock(handle: int) -> None:
        os.lseek(handle, _BYTE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


_HELD = frozenset({errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK})
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


class FileLock:
    """An exclusive lock, not yet taken.

    Args:
        path: the lock file; its folder must be there. It exists while somebody holds the lock
            (and may exist afterwards: that alone means nothing).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._record = path.with_name(f"{path.name}.pid")
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting.

        Returns:
            Whether it is held now; ``False``: by another process, or by another ``FileLock`` of
            this one.

        Raises:
            OSError: the lock file cannot be made.
        """
        while True:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                _try_lock(handle)
            except OSError as error:
                os.close(handle)
                if error.errno in _HELD:
                    return False
                if error.errno in _NO_LOCKS:
                    return self._acquire_by_record()
                raise
            if self._is_at_path(handle):
                self._keep(handle)
                return True
            # Its last holder removed the file between our opening and our locking it.
            os.close(handle)

    def holder(self) -> str:
        """Who holds the lock, for a message: ``"process 4711 on host"``."""
        for path in (self._record, self.path):
            pid, host = _read_record(path)
            if pid is not None:
                return f"process {pid} on {host}"
        return "another process"

    def release(self) -> None:
        """Let go and remove the lock file; nothing if it is not held."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        if sys.platform == "win32":
            # An open file cannot be removed there, neither by us nor while the next one has it.
            os.close(handle)
            try:
                self.path.unlink(missing_ok=True)
            except PermissionError:
                return
        else:
            # While the lock is held, so that nobody locks a file that is about to vanish.
            self.path.unlink(missing_ok=True)
            self._record.unlink(missing_ok=True)
            os.close(handle)

    def _keep(self, handle: int) -> None:
        self._handle = handle
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, f"{os.getpid()} {socket.gethostname()}\n".encode())

    def _is_at_path(self, handle: int) -> bool:
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(os.fstat(handle), there)

    def _acquire_by_record(self) -> bool:
        """The lock where the file system has none: a file made by one, while that one lives.

        A holder on another host is taken to live. Two processes that find the same dead holder in
        the same instant may both come through; nothing but locks can prevent that.
        """
        import psutil

        while True:
            try:
                handle = os.open(self._record, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                pid, host = _read_record(self._record)
                if pid is None or host != socket.gethostname() or psutil.pid_exists(pid):
                    return False
                self._record.unlink(missing_ok=True)
            else:
                self._keep(handle)
                return True


def _read_record(path: Path) -> tuple[int | None, str]:
    try:
        pid, _, host = path.read_text(encoding="utf-8").strip().partition(" ")
    except OSError:
        return None, ""
    return (int(pid), host) if pid.isdecimal() and host else (None, "")
