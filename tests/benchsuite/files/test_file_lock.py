from __future__ import annotations

import errno
import os
import signal
import socket
from pathlib import Path

import pytest

from benchsuite.files import file_lock
from benchsuite.files.file_lock import FileLock

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


def no_locks(handle: int) -> None:
    raise OSError(errno.ENOSYS, "Function not implemented")


@pytest.fixture(params=["system locks", "no system locks"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "no system locks":
        monkeypatch.setattr(file_lock, "_try_lock", no_locks)
    return tmp_path / "lock"


def test_one_holds_it_at_a_time(path: Path) -> None:
    first, second = FileLock(path), FileLock(path)
    assert first.acquire()
    assert not second.acquire()
    assert second.holder() == f"process {os.getpid()} on {socket.gethostname()}"
    second.release()
    assert not second.acquire(), "only its holder releases a lock"
    first.release()
    assert list(path.parent.iterdir()) == []
    assert second.acquire()
    assert not first.acquire()


@FORKS
def test_a_killed_holder_holds_nothing(path: Path) -> None:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, b"y" if FileLock(path).acquire() else b"n")
        signal.pause()
    assert os.read(read, 1) == b"y"
    mine = FileLock(path)
    assert not mine.acquire()
    assert mine.holder() == f"process {pid} on {socket.gethostname()}"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert mine.acquire()
    assert mine.holder() == f"process {os.getpid()} on {socket.gethostname()}"


def test_a_file_alone_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("not a record")
    lock = FileLock(path)
    assert lock.holder() == "another process"
    assert lock.acquire()


def test_without_system_locks_another_hosts_process_is_taken_to_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_lock, "_try_lock", no_locks)
    path = tmp_path / "lock"
    path.with_name("lock.pid").write_text(f"{2**22 + 1} elsewhere\n")
    lock = FileLock(path)
    assert not lock.acquire()
    assert lock.holder() == f"process {2**22 + 1} on elsewhere"
    path.with_name("lock.pid").write_text(f"{2**22 + 1} {socket.gethostname()}\n")
    assert lock.acquire()


@FORKS
def test_a_lock_file_that_vanishes_is_not_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder removes the file and lets go between our opening and our locking it."""
    path = tmp_path / "lock"
    first = FileLock(path)
    assert first.acquire()
    real = file_lock._try_lock

    def slow(handle: int) -> None:
        first.release()
        real(handle)

    monkeypatch.setattr(file_lock, "_try_lock", slow)
    second = FileLock(path)
    assert second.acquire()
    monkeypatch.undo()
    assert not FileLock(path).acquire(), "a third one must see the second's lock"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileLock(tmp_path / "nothing" / "lock").acquire()
