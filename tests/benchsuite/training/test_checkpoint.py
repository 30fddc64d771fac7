"""Checkpoints: what is written is read, and nothing in them is run."""

from __future__ import annotations

import errno
import pickle

import pytest
import torch
from safetensors.torch import load_file

from benchsuite.errors import BenchsuiteError, DataMissingError, InputError
from benchsuite.training import checkpoint
from benchsuite.training.checkpoint import (
    has_checkpoint,
    read_state,
    read_weights,
    write_checkpoint,
)

WEIGHTS = {"a": torch.arange(6.0).view(2, 3), "n": torch.tensor(3)}
STATE = {"step": 3, "betas": (0.9, 0.99), "moments": {0: {"first": torch.ones(2)}}, "best": None}


def test_what_is_written_is_read(tmp_path):
    folder = tmp_path / "out" / "last"
    assert not has_checkpoint(folder)
    write_checkpoint(folder, WEIGHTS, STATE, 3)
    assert has_checkpoint(folder)
    assert torch.equal(load_file(folder / "model.safetensors")["a"], WEIGHTS["a"])
    state = read_state(folder)
    assert state["step"] == 3 and state["betas"] == (0.9, 0.99)
    assert torch.equal(state["moments"][0]["first"], torch.ones(2))


def test_weights_alone_are_nothing_to_go_on_from(tmp_path):
    write_checkpoint(tmp_path / "best", WEIGHTS, None, 3)
    assert (tmp_path / "best" / "model.safetensors").is_file()
    assert not has_checkpoint(tmp_path / "best")
    with pytest.raises(DataMissingError, match="without --resume"):
        read_state(tmp_path / "best")


def test_tied_and_transposed_weights_are_written_each(tmp_path):
    tied = torch.rand(3, 4)
    write_checkpoint(tmp_path / "last", {"a": tied, "b": tied, "c": tied.t()}, None, 1)
    found = load_file(tmp_path / "last" / "model.safetensors")
    assert torch.equal(found["a"], tied)
    assert torch.equal(found["b"], tied)
    assert torch.equal(found["c"], tied.t())


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b""])
def test_a_damaged_state_is_named(tmp_path, damage):
    write_checkpoint(tmp_path / "last", WEIGHTS, STATE, 3)
    path = tmp_path / "last" / "state.pt"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"state\.pt: is truncated or damaged"):
        read_state(tmp_path / "last")


def test_damaged_weights_are_named(tmp_path):
    write_checkpoint(tmp_path / "last", WEIGHTS, STATE, 3)
    path = tmp_path / "last" / "model.safetensors"
    assert read_weights(tmp_path / "last").keys() == WEIGHTS.keys()
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"model\.safetensors: .*damaged"):
        read_weights(tmp_path / "last")
    path.unlink()
    with pytest.raises(InputError, match="is not there"):
        read_weights(tmp_path / "last")


class Runs:
    """Would create a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_in_a_state_is_run(tmp_path):
    write_checkpoint(tmp_path / "last", WEIGHTS, STATE, 3)
    torch.save({"step": Runs(tmp_path / "run")}, tmp_path / "last" / "state.pt")
    with pytest.raises(InputError):
        read_state(tmp_path / "last")
    assert not (tmp_path / "run").exists()
    # The file would have been made: the test can fail.
    pickle.loads(pickle.dumps(Runs(tmp_path / "run"))).close()
    assert (tmp_path / "run").exists()


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    write_checkpoint(tmp_path / "last", WEIGHTS, STATE, 3)

    def full(*args, **named):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint.torch, "save", full)
    with pytest.raises(BenchsuiteError, match=r"the disk is full.*--resume"):
        write_checkpoint(tmp_path / "last", WEIGHTS, {**STATE, "step": 4}, 4)
    monkeypatch.undo()
    assert read_state(tmp_path / "last")["step"] == 3
