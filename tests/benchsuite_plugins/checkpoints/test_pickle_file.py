"""Detectron2's pickles: what they hold is read, and nothing of it is executed."""

from __future__ import annotations

import collections
import os
import pickle
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchsuite.errors import InputError
from benchsuite_plugins.checkpoints import read_checkpoint

ARRAYS = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4) - 7.5,
    "conv.bias": np.array([1e-30, -0.0, 255.0], np.float32),
    "double": np.array([[0.1, 0.2]]),
    "half": np.array([1.5], np.float16),
    "column_major": np.asfortranarray(np.arange(6.0, dtype=np.float32).reshape(2, 3)),
    "big_endian": np.array([1.0, 256.0], ">f4"),
    "empty": np.zeros((0, 4), np.float32),
    "norm.num_batches_tracked": np.array(12, np.int64),
    "scalar": np.float32(2.5),
    "flags": np.array([True, False]),
}


def write(path: Path, content: Any, protocol: int) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("wrap", [dict, collections.OrderedDict])
def test_arrays_come_back(tmp_path: Path, protocol: int, wrap: type) -> None:
    content = {"model": wrap(ARRAYS), "__author__": "somebody", "matching_heuristics": True}
    state = read_checkpoint(write(tmp_path / "model.pkl", content, protocol))
    assert list(state) == list(ARRAYS)
    for name, array in ARRAYS.items():
        native = np.array(array, array.dtype.newbyteorder("="))
        expected = torch.from_numpy(native)
        assert state[name].dtype == expected.dtype and state[name].shape == expected.shape
        assert torch.equal(state[name], expected), name


def test_python_2_wrote_bytes_as_text(tmp_path: Path) -> None:
    # What cPickle.dumps({"w": array}, 2) writes: the values in a str opcode, modules of old.
    values = np.array([1.0, -2.0], "<f4").tobytes()
    program = (
        b"\x80\x02}q\x01U\x01wcnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\n"
        b"q\x03K\x00\x85U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08" + values + b"tbs."
    )
    path = tmp_path / "old.pkl"
    path.write_bytes(program)
    assert pickle.loads(program, encoding="latin1")["w"].tolist() == [1.0, -2.0]
    assert read_checkpoint(path)["w"].tolist() == [1.0, -2.0]


def test_state_dict_may_be_the_whole_file(tmp_path: Path) -> None:
    state = read_checkpoint(write(tmp_path / "a.pkl", {"w": np.ones(2, np.float32)}, 2))
    assert state["w"].tolist() == [1, 1]


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_wants_to_run_something_is_refused(tmp_path: Path, protocol: int) -> None:
    touched = tmp_path / "touched"
    content = {"model": {"w": np.ones(2, np.float32)}, "extra": Touch(touched)}
    path = write(tmp_path / "bad.pkl", content, protocol)
    with pytest.raises(InputError, match=r"bad\.pkl.*(posix|nt)\.system"):
        read_checkpoint(path)
    assert not touched.exists()
    pickle.loads(path.read_bytes())
    assert touched.exists(), "the file would not have run anything"


@pytest.mark.parametrize(
    ("program", "named"),
    [
        (b"cbuiltins\neval\n(S'1'\ntR.", "builtins.eval"),
        (b"(S'1'\nios\nsystem\n.", "os.system"),
        (b"\x8c\x08builtins\x8c\x04exec\x93.", "builtins.exec"),
        (b"cnumpy.core.multiarray\nfromfile\n.", "fromfile"),
        (b"cnumpy\nload\n.", "numpy.load"),
        (b"cnumpy\nndarray.tofile\n.", "tofile"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n.", "_rebuild_tensor_v2"),
    ],
)
def test_any_other_name_is_refused_by_name(tmp_path: Path, program: bytes, named: str) -> None:
    path = tmp_path / "bad.pkl"
    path.write_bytes(b"\x80\x04" + program)
    with pytest.raises(InputError, match=named):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "program",
    [
        b"c_codecs\nencode\n}S'__defaults__'\n(S'latin1'\ntsb.",  # changing a stand-in
        b"cnumpy\nndarray\n(NNNNNtb.",
        b"c_codecs\nencode\n(S'a'\nS'rot13'\ntR.",
        b"(dS'a'\nP1\ns.",  # a persistent id
        b"\x82\x01.",  # an extension code
        b"]" * 1000 + b".",
    ],
)
def test_what_makes_no_arrays_is_refused(tmp_path: Path, program: bytes) -> None:
    path = tmp_path / "bad.pkl"
    path.write_bytes(b"\x80\x04" + program)
    with pytest.raises(InputError, match=r"bad\.pkl"):
        read_checkpoint(path)


def test_every_truncation_is_an_input_error(tmp_path: Path) -> None:
    whole = pickle.dumps({"model": {"w": np.ones(3, np.float32)}, "__author__": "a"}, protocol=2)
    path = tmp_path / "short.pkl"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"short\.pkl"):
            read_checkpoint(path)


@pytest.mark.parametrize(
    "program",
    [
        b"\x8e" + struct.pack("<Q", 2**30) + b"few bytes",
        b"\x96" + struct.pack("<Q", 2**30) + b"few bytes",
        b"\x8d" + struct.pack("<Q", 2**30) + b"few letters",
        b"Nr" + struct.pack("<I", 2**26) + b".",  # a place in the memo
    ],
)
def test_more_declared_than_held_is_refused_before_it_is_reserved(
    tmp_path: Path, program: bytes
) -> None:
    path = tmp_path / "bomb.pkl"
    path.write_bytes(b"\x80\x05" + program)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"bomb\.pkl"):
            read_checkpoint(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2**24


def array_program(shape: bytes, dtype: bytes, values: bytes) -> bytes:
    return (
        b"\x80\x03}U\x01wcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b"
        b"\x87R(K\x01" + shape + b"cnumpy\ndtype\nU\x02" + dtype + b"K\x00K\x01\x87R(K\x03U\x01<"
        b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89" + values + b"tbs."
    )


@pytest.mark.parametrize(
    ("shape", "dtype", "values"),
    [
        (b"J\x00\x00\x00\x7f\x85", b"f4", b"C\x04abcd"),  # two thousand million values
        (b"J\xff\xff\xff\xff\x85", b"f4", b"C\x04abcd"),
        (b"N", b"f4", b"C\x04abcd"),
        (b"K\x01\x85", b"O8", b"]N\x61"),
        (b"K\x01\x85", b"f4", b"]N\x61"),
        (b"K\x01\x85", b"V4", b"C\x04abcd"),
    ],
)
def test_arrays_that_contradict_themselves_are_refused(
    tmp_path: Path, shape: bytes, dtype: bytes, values: bytes
) -> None:
    path = tmp_path / "bad.pkl"
    path.write_bytes(array_program(shape, dtype, values))
    with pytest.raises(InputError, match="'w'"):
        read_checkpoint(path)
    path.write_bytes(array_program(b"K\x01\x85", b"f4", b"C\x04\x00\x00\x80?"))
    assert read_checkpoint(path)["w"].tolist() == [1]


def test_arrays_that_share_their_bytes_are_not_multiplied(tmp_path: Path) -> None:
    # 4 kB of values, placed in the memo, and four arrays that refer to them.
    values = b"B\x00\x10\x00\x00" + bytes(4096) + b"q\x07"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01M\x00"
        b"\x04\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff"
        b"\xff\xffK\x00tb\x89h\x07tb"
    )
    named = [b"U\x01" + name + array + b"s" for name in (b"a", b"b", b"c", b"d")]
    filler = b"N0" * 7  # a place in the memo cannot be higher than the instructions before it
    path = tmp_path / "bomb.pkl"
    path.write_bytes(b"\x80\x03" + filler + values + b"0}" + b"".join(named) + b".")
    with pytest.raises(InputError, match=r"bomb\.pkl.*share their bytes"):
        read_checkpoint(path)
    path.write_bytes(b"\x80\x03" + filler + values + b"0}" + named[0] + b".")
    assert read_checkpoint(path)["a"].shape == (1024,)


@pytest.mark.parametrize(
    "content", [[1, 2], "text", {"model": 3}, {"model": {"w": "text"}}, {"model": {3: 4}}]
)
def test_what_is_no_state_dict_is_said(tmp_path: Path, content: Any) -> None:
    with pytest.raises(InputError, match="in place of"):
        read_checkpoint(write(tmp_path / "a.pkl", content, 2))
