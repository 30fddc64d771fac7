"""Statistics of batch normalisation, beside those of all values at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.training.loading.micro_batch import MicroBatch
from benchsuite.training.optimization.precise_batch_norm import measure_statistics


class Normalised(nn.Module):
    """Two levels that share a layer, one of which is sometimes empty; noise; a count of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.frozen = nn.BatchNorm2d(3).eval()
        self.register_buffer("steps", torch.zeros(()), persistent=False)

    def losses(self, level: Tensor, other: Tensor) -> Tensor:
        self.get_buffer("steps").add_(1)
        total: Tensor = self.norm(level).sum() + torch.rand(())
        if len(other):
            total = total + self.norm(other).sum()
        return self.frozen(level).sum() + total


def micro_batches(count: int) -> Iterator[MicroBatch]:
    for seed in range(count):
        yield MicroBatch(0, seed, (), (), (), seed)


@pytest.fixture
def levels() -> list[tuple[Tensor, Tensor]]:
    torch.manual_seed(0)
    scale = torch.tensor([1.0, 10.0, 0.1]).view(1, 3, 1, 1)
    return [
        (torch.randn(2, 3, 5, 4) * scale + index, torch.randn(2 * (index % 2), 3, 5, 4))
        for index in range(6)
    ]


def test_they_are_those_of_all_batches(levels: list[tuple[Tensor, Tensor]]) -> None:
    model = Normalised()
    model.norm.running_mean.fill_(99.0)
    state, frozen = torch.get_rng_state(), model.frozen.running_mean.clone()
    measure_statistics(model, lambda batch: model.losses(*levels[batch.seed]), micro_batches(6))
    seen = [each for pair in levels for each in pair if len(each)]
    # Equally large ones, so that every value weighs the same.
    values = torch.cat(seen).double().transpose(0, 1).flatten(1)
    assert torch.allclose(model.norm.running_mean.double(), values.mean(1), rtol=1e-5)
    # Each batch's variance is the unbiased estimate, of 40 values.
    within = torch.stack([each.transpose(0, 1).flatten(1).double().var(1) for each in seen])
    means = torch.stack([each.transpose(0, 1).flatten(1).double().mean(1) for each in seen])
    expected = within.mean(0) + means.var(0, correction=0)
    assert torch.allclose(model.norm.running_var.double(), expected, rtol=1e-5)
    assert torch.allclose(model.norm.running_var.double(), values.var(1), rtol=0.03)
    assert (model.norm.momentum, model.norm.num_batches_tracked) == (0.1, 0)
    assert torch.equal(model.frozen.running_mean, frozen)
    assert model.get_buffer("steps") == 0
    assert torch.equal(torch.get_rng_state(), state)
    assert not model.norm._forward_hooks


def test_an_interruption_leaves_the_model_as_it_was(levels: list[tuple[Tensor, Tensor]]) -> None:
    model = Normalised()
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def interrupted(batch: MicroBatch) -> Any:
        model.losses(*levels[0])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_statistics(model, interrupted, micro_batches(1))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert model.norm.momentum == 0.1
    assert not model.norm._forward_hooks


def test_a_model_without_such_layers_sees_nothing() -> None:
    def never(batch: MicroBatch) -> Any:
        raise AssertionError("nothing to measure")

    measure_statistics(nn.Sequential(nn.BatchNorm2d(3)).eval(), never, micro_batches(1))
