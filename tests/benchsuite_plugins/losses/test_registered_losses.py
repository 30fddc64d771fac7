"""Losses are found by name, ours and a stranger's, and misuse is told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import Tensor

from benchsuite.errors import UsageError
from benchsuite.plugins import registry
from benchsuite.specs import LossSpec
from benchsuite_plugins import benchsuite_losses
from benchsuite_plugins.losses.cross_entropy import cross_entropy
from benchsuite_plugins.models.named_loss import named_loss

SHAPES: dict[str, tuple[Tensor, Tensor, tuple[int, ...]]] = {
    "values": (torch.ones(5, 4), torch.zeros(5, 4), (5, 4)),
    "boxes": (torch.tensor([[0.0, 0, 1, 1]] * 5), torch.tensor([[0.0, 0, 2, 1]] * 5), (5,)),
    "labels": (torch.zeros(5, 3), torch.tensor([0, 1, 2, 0, 1]), (5,)),
    "binary": (torch.zeros(5, 3), torch.ones(5, 3), (5, 3)),
}


@pytest.mark.parametrize("name", [spec.name for spec in benchsuite_losses()])
def test_each_is_unreduced_over_what_it_says_it_compares(name: str) -> None:
    _, spec = named_loss(name, {}, tuple(SHAPES))
    predicted, target, shape = SHAPES[spec.compares]
    loss, _ = named_loss(name, {}, (spec.compares,))
    value = loss(predicted, target)
    assert value.shape == shape
    assert (value > 0).all()


def test_cross_entropy_by_hand() -> None:
    logits = torch.tensor([[0.0, 0.0], [0.0, 1.0]])
    expected = torch.tensor([2.0, 1 + torch.e]).log() - torch.tensor([0.0, 0.0])
    torch.testing.assert_close(cross_entropy(logits, torch.tensor([1, 0])), expected)


def test_options_reach_the_factory() -> None:
    loss, _ = named_loss("smooth_l1", {"beta": 1.0}, ("values",))
    assert loss(torch.tensor([0.5]), torch.tensor([0.0])).tolist() == [0.125]


def test_misuse_is_told() -> None:
    with pytest.raises(UsageError, match="did you mean giou"):
        named_loss("gious", {}, ("boxes",))
    with pytest.raises(UsageError, match=r"'giou' compares boxes; .* compares labels"):
        named_loss("giou", {}, ("labels",))
    with pytest.raises(UsageError, match=r"does not take .*'gamma': 2"):
        named_loss("smooth_l1", {"gamma": 2}, ("values",))


@pytest.fixture
def strangers_loss(monkeypatch: pytest.MonkeyPatch) -> str:
    """Registers a loss of boxes that none of ours is."""

    def create(power: float = 1.0) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda predicted, target: ((predicted - target).abs() ** power).sum(dim=1)

    module = ModuleType("somebodys_losses")
    module.create = create  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "somebodys_losses", module)
    spec = LossSpec("corner_distance", "somebodys_losses:create", compares="boxes")
    monkeypatch.setitem(registry().losses, spec.name, spec)
    return spec.name


def test_a_strangers_loss(strangers_loss: str) -> None:
    loss, _ = named_loss(strangers_loss, {"power": 2.0}, ("values", "boxes"))
    assert loss(torch.tensor([[1.0, 2, 3, 4]]), torch.zeros(1, 4)).tolist() == [30]
