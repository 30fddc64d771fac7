from __future__ import annotations

import pytest
import torch
from torch import nn

from benchsuite.errors import InputError
from benchsuite_plugins.checkpoints import load_state
from benchsuite_plugins.models.layers.conv import Conv2d


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.frozen = Conv2d(2, 3, 1, norm="FrozenBN")
        self.normed = Conv2d(3, 3, 1, norm="BN")
        self.fc = nn.Linear(3, 4)


def full_state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        name: torch.rand(value.shape) + 0.5 if value.is_floating_point() else value + 7
        for name, value in Model().state_dict().items()
    }


def test_values_are_copied() -> None:
    model, state = Model(), full_state()
    load_state(model, state, "file.pkl")
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_values_are_converted_to_the_models_dtype() -> None:
    model, state = Model(), full_state()
    state["fc.bias"] = state["fc.bias"].double()
    load_state(model, state, "file.pkl")
    assert model.fc.bias.dtype == torch.float32


def test_what_old_files_hold_beside_the_weights_is_passed_over() -> None:
    extra = ("pixel_mean", "pixel_std", "proposal_generator.anchor_generator.cell_anchors.0")
    load_state(Model(), {**full_state(), **{name: torch.ones(3) for name in extra}}, "f")
    for name in ("my_pixel_mean", "cell_anchors.0", "anchor_generator.cell_anchors.x"):
        with pytest.raises(InputError, match=name):
            load_state(Model(), {**full_state(), name: torch.ones(3)}, "f")


def test_counters_of_batch_norms_may_be_absent() -> None:
    state = full_state()
    del state["normed.norm.num_batches_tracked"]
    load_state(Model(), state, "f")


def test_frozen_statistics_may_be_absent_together() -> None:
    model, state = Model(), full_state()
    load_state(model, state, "f")
    del state["frozen.norm.running_mean"], state["frozen.norm.running_var"]
    load_state(model, state, "f")
    assert model.frozen.norm.running_mean.tolist() == [0, 0, 0]
    assert model.frozen.norm.running_var.tolist() == [1, 1, 1]
    with pytest.raises(InputError, match=r"1 missing: frozen\.norm\.running_var"):
        load_state(model, {**state, "frozen.norm.running_mean": torch.zeros(3)}, "f")
    del state["normed.norm.running_mean"]
    with pytest.raises(InputError, match=r"1 missing: normed\.norm\.running_mean"):
        load_state(model, state, "f")


def test_differences_are_counted_and_the_first_three_named_and_nothing_is_loaded() -> None:
    model, state = Model(), full_state()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for name in ("frozen.weight", "normed.weight", "fc.weight", "fc.bias"):
        del state[name]
    state["left.over"] = torch.ones(1)
    state["frozen.norm.bias"] = torch.ones(5)
    with pytest.raises(InputError) as caught:
        load_state(model, state, "some/file.pkl")
    message = str(caught.value)
    assert "some/file.pkl" in message
    assert "4 missing: frozen.weight, normed.weight, fc.weight, ..." in message
    assert "1 left over: left.over" in message
    assert "1 of another shape: frozen.norm.bias ((5,) in the file, (3,) in the model)" in message
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_scalar_does_not_spread_over_a_parameter() -> None:
    with pytest.raises(InputError, match=r"fc\.bias"):
        load_state(Model(), {**full_state(), "fc.bias": torch.tensor(1.0)}, "f")
