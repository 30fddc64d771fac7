"""Averages of weights; the expected ones are computed by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from benchsuite.errors import InputError
from benchsuite.training.optimization.weight_average import WeightAverage
from benchsuite.training.options import EMAOptions


def model() -> nn.Module:
    """One weight, and a batch norm's statistics and counter."""
    made = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    with torch.no_grad():
        made[0].weight.fill_(1.0)
    return made


def put(made: nn.Module, value: float) -> None:
    with torch.no_grad():
        for name, tensor in made.state_dict().items():
            tensor.fill_(int(value) if name.endswith("tracked") else value)


def test_an_average_of_three() -> None:
    trained = model()
    put(trained, 1.0)
    average = WeightAverage(trained, EMAOptions(decay=0.5, warmup_iters=0))
    for step, value in ((1, 3.0), (2, 5.0)):
        put(trained, value)
        average.update(trained, step)
    # (1 + 3) / 2 = 2, (2 + 5) / 2 = 3.5; the counter is the last.
    state = average.state_dict()
    assert {name: value.item() for name, value in state.items()} == {
        "0.weight": 3.5,
        "1.weight": 3.5,
        "1.bias": 3.5,
        "1.running_mean": 3.5,
        "1.running_var": 3.5,
        "1.num_batches_tracked": 5,
    }
    assert trained[0].weight.item() == 5.0


def test_the_first_weights_are_soon_forgotten() -> None:
    average = WeightAverage(model(), EMAOptions(decay=0.9, warmup_iters=10))
    assert average.decay(1) == pytest.approx(0.9 * (1 - math.exp(-0.1)))
    assert average.decay(10) == pytest.approx(0.9 * (1 - math.exp(-1)))
    assert average.decay(10_000) == pytest.approx(0.9)
    trained = model()
    put(trained, 0.0)
    average.update(trained, 1)
    assert average.state_dict()["0.weight"].item() == pytest.approx(0.9 * (1 - math.exp(-0.1)))


def test_the_model_has_the_average_for_a_while() -> None:
    trained = model()
    average = WeightAverage(trained, EMAOptions(decay=0.5, warmup_iters=0))
    put(trained, 3.0)
    average.update(trained, 1)
    with pytest.raises(KeyboardInterrupt), average.in_place(trained):
        assert trained[0].weight.item() == 2.0
        raise KeyboardInterrupt
    assert {value.item() for value in trained.state_dict().values()} == {3.0}
    assert average.state_dict()["0.weight"].item() == 2.0


def test_half_precision_is_averaged_in_single() -> None:
    trained = model().to(torch.bfloat16)
    put(trained, 1.0)
    average = WeightAverage(trained, EMAOptions(decay=0.999, warmup_iters=0))
    put(trained, 2.0)
    for step in range(1, 4):
        average.update(trained, step)
    # In bfloat16 an average of 1 would stay at 1 for ever.
    assert average.state_dict()["0.weight"].item() == pytest.approx(2 - 0.999**3)


def test_going_on_is_as_not_having_stopped() -> None:
    trained, options = model(), EMAOptions(decay=0.9, warmup_iters=5)
    whole = WeightAverage(trained, options)
    values = [0.5, 2.0, -3.0, 4.0]
    for step, value in enumerate(values[:2], 1):
        put(trained, value)
        whole.update(trained, step)
    saved = {name: value.clone() for name, value in whole.state_dict().items()}
    put(trained, 100.0)
    resumed = WeightAverage(trained, options)
    resumed.load_state_dict(saved)
    for step, value in enumerate(values[2:], 3):
        put(trained, value)
        whole.update(trained, step)
        resumed.update(trained, step)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_another_models_average() -> None:
    average = WeightAverage(model(), EMAOptions())
    with pytest.raises(InputError, match="another model"):
        average.load_state_dict({"0.weight": torch.zeros(1, 1)})
