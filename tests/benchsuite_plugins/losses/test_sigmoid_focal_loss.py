from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss as torchvision_focal_loss

import benchsuite_plugins
from benchsuite.specs import load
from benchsuite_plugins.losses.sigmoid_focal_loss import create


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.6, 0.5), (-1, 2.0)])
def test_values_and_gradients_against_torchvision(alpha: float, gamma: float) -> None:
    generator = torch.Generator().manual_seed(0)
    # More values than are computed at once, and not contiguous.
    logits = (torch.randn((90, 401), generator=generator) * 4).T.requires_grad_()
    targets = (torch.rand((401, 90), generator=generator) > 0.7).float()
    ours = create(alpha=alpha, gamma=gamma)(logits, targets)
    # Theirs in double precision: in single it subtracts what is nearly alike.
    exact = logits.detach().double().requires_grad_()
    theirs = torchvision_focal_loss(exact, targets.double(), alpha=alpha, gamma=gamma)
    torch.testing.assert_close(ours, theirs.float())
    (gradient,) = torch.autograd.grad(ours.sum(), logits)
    (wanted,) = torch.autograd.grad(theirs.sum(), exact)
    torch.testing.assert_close(gradient, wanted.float())


def test_gradients_against_differences() -> None:
    logits = torch.linspace(-5, 5, 12, dtype=torch.float64, requires_grad=True)
    targets = (torch.arange(12) % 3 == 0).double()
    for alpha, gamma in ((0.25, 2.0), (-1.0, 0.5), (0.5, 0.0)):
        loss = create(alpha=alpha, gamma=gamma)
        assert torch.autograd.gradcheck(lambda x, loss=loss: loss(x, targets), (logits,))


def test_by_hand() -> None:
    loss = create()(torch.tensor([math.log(3)] * 2), torch.tensor([1.0, 0.0]))
    assert loss.tolist() == pytest.approx(
        [0.25 * 0.25**2 * -math.log(0.75), 0.75 * 0.75**2 * -math.log(0.25)]
    )


def test_without_its_settings_it_is_cross_entropy() -> None:
    logits, targets = torch.linspace(-9, 9, 10), torch.eye(10)[3]
    expected = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    torch.testing.assert_close(create(alpha=-1, gamma=0)(logits, targets), expected)


def test_logits_however_large_have_finite_gradients() -> None:
    logits = torch.tensor([-1e4, 1e4, -1e4, 1e4], requires_grad=True)
    loss = create()(logits, torch.tensor([0.0, 1.0, 1.0, 0.0]))
    loss.sum().backward()
    assert loss.isfinite().all() and logits.grad is not None
    assert logits.grad.tolist() == pytest.approx([0, 0, -0.25, 0.75])


def test_it_is_registered() -> None:
    (spec,) = [s for s in benchsuite_plugins.benchsuite_losses() if s.name == "sigmoid_focal"]
    assert load(spec.factory) is create
