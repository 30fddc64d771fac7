from __future__ import annotations

import hashlib
import os
from pathlib import Path
from threading import Thread

import pytest

from benchsuite.columns.file_bytes import FileBytes
from benchsuite.errors import DataMissingError, InputError
from benchsuite_kernels.columns.coco_json import PADDING


@pytest.mark.parametrize("data", [b"", b"x", os.urandom(3_000_001)])
def test_bytes_and_hash(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    file = FileBytes(path, what="file")
    assert file.sha256 == hashlib.sha256(data).hexdigest()
    assert (file.size, file.text()) == (len(data), data)
    assert len(file.buffer) >= file.size + PADDING


def test_what_does_not_know_its_size(tmp_path: Path) -> None:
    pipe, data = tmp_path / "pipe", os.urandom(300_000)
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    file = FileBytes(pipe, what="file")
    writer.join()
    assert file.text() == data
    assert len(file.buffer) >= file.size + PADDING


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match=r"truth .*nothing is not there \(looked in "):
        FileBytes(tmp_path / "nothing", what="truth")
    with pytest.raises(InputError, match="the truth cannot be read"):
        FileBytes(tmp_path, what="truth")


def test_the_hash_outlives_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content" * 100_000)
    file = FileBytes(tmp_path / "file", what="file")
    file.let_go()
    assert not len(file.buffer)
    assert file.sha256 == hashlib.sha256(b"content" * 100_000).hexdigest()
