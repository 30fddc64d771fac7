"""Packed checkpoints: small, the same bytes for the same values, and exact once they are loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from benchsuite.errors import InputError
from benchsuite_plugins.checkpoints import load_state, read_checkpoint
from benchsuite_plugins.checkpoints.pack import pack


def network() -> nn.Sequential:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(8)
    norm.running_var.fill_(1e6)
    return nn.Sequential(nn.Conv2d(3, 8, 3), norm, nn.Flatten(), nn.Linear(8, 4))


def test_weights_are_halved_and_vectors_stay(tmp_path: Path) -> None:
    model = network()
    save_file(model.state_dict(), tmp_path / "in.safetensors")
    assert pack(tmp_path / "in.safetensors", tmp_path / "out.safetensors", torch.float16) == 9
    found = load_file(tmp_path / "out.safetensors")
    for name, value in model.state_dict().items():
        if value.ndim >= 2:
            expected = value.numpy().astype(np.float16)
            assert found[name].dtype == torch.float16
            assert np.array_equal(found[name].numpy(), expected)
        else:
            assert found[name].dtype == value.dtype
            assert torch.equal(found[name], value)


def test_they_are_loaded_exactly_into_a_model_of_float32(tmp_path: Path) -> None:
    save_file(network().state_dict(), tmp_path / "in.safetensors")
    pack(tmp_path / "in.safetensors", tmp_path / "out.safetensors", torch.float16)
    state = read_checkpoint(tmp_path / "out.safetensors")
    model = network()
    load_state(model, state, "out.safetensors")
    for name, value in model.state_dict().items():
        assert value.dtype == (torch.int64 if name.endswith("tracked") else torch.float32)
        assert np.array_equal(value.numpy(), state[name].numpy().astype(value.numpy().dtype))


def test_it_may_be_read_by_whom_any_new_file_may(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(2, 2)}, tmp_path / "in.safetensors")
    pack(tmp_path / "in.safetensors", tmp_path / "out.safetensors", torch.float16)
    (tmp_path / "new").touch()
    modes = {(tmp_path / name).stat().st_mode for name in ("new", "out.safetensors")}
    assert len(modes) == 1


def test_the_same_values_are_the_same_bytes(tmp_path: Path) -> None:
    state = network().state_dict()
    turned = dict(reversed(state.items()))
    for name, content in (("one", state), ("two", turned)):
        torch.save({"model": content}, tmp_path / f"{name}.pth")
        pack(tmp_path / f"{name}.pth", tmp_path / f"{name}.safetensors", torch.float16)
    one, two = ((tmp_path / f"{name}.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_number_beyond_half_precision(tmp_path: Path) -> None:
    save_file({"w": torch.tensor([[1.0, 70000.0]])}, tmp_path / "in.safetensors")
    with pytest.raises(InputError, match=r"w: .*float16 cannot hold: 70000"):
        pack(tmp_path / "in.safetensors", tmp_path / "out.safetensors", torch.float16)
    assert not (tmp_path / "out.safetensors").exists()
