from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from benchsuite_plugins.losses.federated_loss import create


def test_by_hand() -> None:
    logits = torch.tensor([[0.0, 2.0, -1.0, 5.0], [1.0, 0.0, 3.0, -5.0]])
    # Class 1 and the background (3) are there: of the columns, class 1 alone counts.
    losses = create(num_classes=2)(logits, torch.tensor([1, 3]))
    expected = [math.log1p(math.exp(-2)), math.log(2)]
    torch.testing.assert_close(losses, torch.tensor(expected))


def test_classes_of_weight_zero_are_never_drawn() -> None:
    logits = torch.randn((5, 7), generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 0, 6, 6, 6])
    weights = torch.tensor([0.0, 0.0, 0.0, 1e-3, 0.0, 2.0])
    counted = [0, 3, 5]
    targets = F.one_hot(labels, 7).float()[:, counted]
    expected = F.binary_cross_entropy_with_logits(logits[:, counted], targets, reduction="none")
    for count in (4, 50):
        losses = create(count, weights)(logits, labels)
        torch.testing.assert_close(losses, expected.sum(dim=1))


def test_as_many_classes_count_as_asked_for_drawn_by_weight() -> None:
    logits = torch.zeros((1, 101))
    torch.manual_seed(1)
    losses = torch.stack([create(11)(logits, torch.tensor([4])) for _ in range(5)])
    torch.testing.assert_close(losses, torch.full((5, 1), 11 * math.log(2)))
    # Of two classes, one weighs nine times the other: it is drawn nine times of ten.
    logits = torch.tensor([[0.0, -100.0, 0.0, 0.0]])
    loss = create(2, [0.0, 9.0, 1.0])
    drawn = [float(loss(logits, torch.tensor([3]))) < 1e-6 for _ in range(500)]
    assert 0.85 < sum(drawn) / 500 < 0.95


@pytest.mark.parametrize("rows", [0, 3])
def test_without_regions_and_without_objects(rows: int) -> None:
    logits = torch.randn((rows, 5), requires_grad=True)
    losses = create(2)(logits, torch.full((rows,), 4))
    assert losses.shape == (rows,)
    losses.sum().backward()
    assert logits.grad is not None and (logits.grad[:, 4] == 0).all()
