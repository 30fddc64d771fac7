"""Losses of boxes against torchvision's, and at the edges."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision import ops

from benchsuite_plugins.losses.iou_losses import ciou_loss, diou_loss, giou_loss
from benchsuite_plugins.losses.l1_loss import l1_loss
from benchsuite_plugins.losses.smooth_l1_loss import smooth_l1_loss

Loss = Callable[[Tensor, Tensor], Tensor]

PAIRS = [
    (giou_loss, ops.generalized_box_iou_loss),
    (diou_loss, ops.distance_box_iou_loss),
    (ciou_loss, ops.complete_box_iou_loss),
]


def boxes(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand((40, 2), generator=generator) * 20
    return torch.cat([corner, corner + 0.5 + torch.rand((40, 2), generator=generator) * 20], dim=1)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_values_and_gradients(ours: Loss, theirs: Loss) -> None:
    target, gradients = boxes(1), []
    for loss in (ours, theirs):
        predicted = boxes(0).requires_grad_()
        value = loss(predicted, target)
        value.sum().backward()
        assert predicted.grad is not None
        gradients.append((value.detach(), predicted.grad))
    torch.testing.assert_close(*gradients)
    assert gradients[0][0].shape == (40,)


@pytest.mark.parametrize("loss", [giou_loss, diou_loss, ciou_loss])
def test_equal_boxes_cost_nothing_and_those_without_extent_are_finite(loss: Loss) -> None:
    torch.testing.assert_close(loss(boxes(0), boxes(0)), torch.zeros(40), atol=1e-5, rtol=0)
    points = torch.tensor([[3.0, 3, 3, 3], [3, 3, 3, 3]])
    found = loss(points, torch.tensor([[3.0, 3, 3, 3], [0, 0, 4, 8]]))
    assert found.isfinite().all()
    assert loss(torch.zeros(0, 4), torch.zeros(0, 4)).shape == (0,)


def test_giou_of_boxes_apart() -> None:
    # The enclosing box is 4 x 1, of which the two cover half.
    found = giou_loss(torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[3.0, 0, 4, 1]]))
    assert found.item() == pytest.approx(1.5)


@pytest.mark.parametrize("beta", [0.0, 0.11, 1.0])
def test_smooth_l1(beta: float) -> None:
    predicted, target = torch.linspace(-2, 2, 41), torch.zeros(41)
    expected = (
        F.l1_loss(predicted, target, reduction="none")
        if beta == 0
        else F.smooth_l1_loss(predicted, target, beta=beta, reduction="none")
    )
    torch.testing.assert_close(smooth_l1_loss(predicted, target, beta=beta), expected)
    if beta == 0:
        assert torch.equal(l1_loss(predicted, target), expected)
