"""The other forms of checkpoints, told apart by content."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchsuite.errors import DataMissingError, InputError
from benchsuite_plugins.checkpoints import read_checkpoint

STATE = {
    "a.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "a.bias": torch.tensor([1.0, -1.0]),
}


def save_numpy(path: Path) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, **{name: value.numpy() for name, value in STATE.items()})


def save_pickle(path: Path) -> None:
    arrays = {name: value.numpy() for name, value in STATE.items()}
    path.write_bytes(pickle.dumps({"model": arrays, "__author__": "a"}, protocol=2))


WRITERS: dict[str, Callable[[Path], None]] = {
    "state dict": lambda path: torch.save(STATE, path),
    "under model": lambda path: torch.save({"model": STATE, "iteration": 3}, path),
    "before 1.6": lambda path: torch.save(STATE, path, _use_new_zipfile_serialization=False),
    "safetensors": lambda path: save_file(STATE, path),
    "npz": save_numpy,
    "pickle": save_pickle,
}


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("suffix", [".pkl", ".pth", ".safetensors", ""])
def test_the_form_is_told_by_content(tmp_path: Path, form: str, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    WRITERS[form](path)
    state = read_checkpoint(path)
    assert list(state) in (list(STATE), sorted(STATE))
    assert all(torch.equal(state[name], value) for name, value in STATE.items())


@pytest.mark.parametrize("form", WRITERS)
def test_truncated_files_are_said_to_be(tmp_path: Path, form: str) -> None:
    path = tmp_path / "short"
    WRITERS[form](path)
    whole = path.read_bytes()
    for length in (0, 1, 7, 20, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="short"):
            read_checkpoint(path)


def test_prefix_of_a_parallel_wrapper_is_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "wrapped.pth"
    torch.save({f"module.{name}": value for name, value in STATE.items()}, path)
    assert list(read_checkpoint(path)) == list(STATE)
    torch.save({"module.a": STATE["a.bias"], "b": STATE["a.bias"]}, path)
    assert list(read_checkpoint(path)) == ["module.a", "b"]


class Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_torch_file_that_wants_to_run_something_is_refused(tmp_path: Path, zipped: bool) -> None:
    path, touched = tmp_path / "bad.pth", tmp_path / "touched"
    torch.save(
        {"model": STATE, "extra": Touch(touched)}, path, _use_new_zipfile_serialization=zipped
    )
    with pytest.raises(InputError, match=r"bad\.pth.*(posix|nt)\.system"):
        read_checkpoint(path)
    assert not touched.exists()


def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("w.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(96):
            member.write(bytes(2**20))
    with pytest.raises(InputError, match=rf"bomb\.npz.*{96 * 2**20}"):
        read_checkpoint(path)


def npy(shape: tuple[int, ...], values: bytes, descr: str = "<f4") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return stream.getvalue() + values


@pytest.mark.parametrize(
    "member",
    [
        npy((10**12,), b"few"),
        npy((2,), b"few"),
        npy((-1,), bytes(8)),
        npy((1,), bytes(8), "|O"),
        b"\x93NUMPY\x09\x00" + bytes(20),
        b"no array",
    ],
)
def test_arrays_of_an_archive_are_held_against_its_size(tmp_path: Path, member: bytes) -> None:
    path = tmp_path / "bad.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.npy", member)
    with pytest.raises(InputError, match=r"w\.npy"):
        read_checkpoint(path)


def test_column_major_and_big_endian_arrays_of_an_archive(tmp_path: Path) -> None:
    array = np.arange(6, dtype=">f4").reshape(2, 3)
    np.savez(tmp_path / "w.npz", w=np.asfortranarray(array))
    assert read_checkpoint(tmp_path / "w.npz")["w"].tolist() == array.tolist()


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><title>404</title>", b"\x00" * 64])
def test_a_file_of_no_known_form_is_said_to_be(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "page.pkl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"page\.pkl.*no checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize("content", [[1], {"model": 5}, {"a": 3}])
def test_a_torch_file_without_a_state_dict_is_said_to_be(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(InputError, match="in place of"):
        read_checkpoint(tmp_path / "a.pth")


def test_a_missing_file_is_missing_data(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match=r"nothing\.pth"):
        read_checkpoint(tmp_path / "nothing.pth")
