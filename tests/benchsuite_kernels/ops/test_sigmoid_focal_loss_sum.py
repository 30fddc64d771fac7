"""Focal loss against torchvision's in float64, element by element and summed over maps."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss as torchvision_focal_loss

from benchsuite_kernels.ops import sigmoid_focal_loss, sigmoid_focal_loss_sum

SHAPES = [(2, 3, 5, 7, 9), (1, 2, 80, 6, 7), (1, 1, 3, 33, 40), (3, 9, 1, 2, 1), (1, 1, 1500, 2, 1)]
"""Images, anchors, classes, height, width; some more than are computed at once."""

SETTINGS = [(0.25, 2.0), (0.6, 0.5), (-1.0, 2.0), (0.3, 0.0)]


def random(*shape: int, scale: float = 4.0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))) * scale


def exact(logits: Tensor, targets: Tensor, alpha: float, gamma: float) -> tuple[Tensor, Tensor]:
    """torchvision's losses and the slopes, in float64: in float32 it subtracts what is alike."""
    x = logits.detach().double().requires_grad_()
    losses = torchvision_focal_loss(x, targets.double(), alpha=alpha, gamma=gamma)
    (slopes,) = torch.autograd.grad(losses.sum(), x)
    return losses.detach(), slopes


def one_hot(logits: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """(N, H * W * A, K) logits in the order of the labels, and their targets."""
    images, channels, height, width = logits.shape
    split = logits.view(images, channels // num_classes, num_classes, height, width)
    rows = split.permute(0, 3, 4, 1, 2).reshape(*labels.shape, num_classes)
    return rows, (labels[..., None] == torch.arange(num_classes)).float()


@pytest.mark.parametrize(("alpha", "gamma"), SETTINGS)
def test_values_and_gradients(implementation: str, alpha: float, gamma: float) -> None:
    logits = random(61, 37).T.requires_grad_()  # not contiguous, and more than a block
    targets = (random(37, 61) > 3).float()
    losses = sigmoid_focal_loss(logits, targets, alpha, gamma)
    upstream = random(37, 61, scale=1)
    (gradient,) = torch.autograd.grad(losses, logits, upstream)
    wanted, slopes = exact(logits, targets, alpha, gamma)
    torch.testing.assert_close(losses.double(), wanted, rtol=3e-6, atol=1e-30)
    torch.testing.assert_close(gradient.double(), upstream * slopes, rtol=5e-6, atol=1e-30)


@pytest.mark.parametrize(("alpha", "gamma"), SETTINGS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", SHAPES)
def test_sum_and_its_gradient(
    implementation: str,
    layout: torch.memory_format,
    shape: tuple[int, ...],
    alpha: float,
    gamma: float,
) -> None:
    images, anchors, classes, height, width = shape
    logits = random(images, anchors * classes, height, width).contiguous(memory_format=layout)
    logits.requires_grad_()
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(-1, classes + 2, (images, height * width * anchors), generator=generator)
    total = sigmoid_focal_loss_sum(logits, labels, classes, alpha, gamma)
    (gradient,) = torch.autograd.grad(3 * total, logits)
    assert gradient.stride() == logits.stride()
    x = logits.detach().double().requires_grad_()
    rows, targets = one_hot(x, labels, classes)
    losses = torchvision_focal_loss(rows, targets.double(), alpha=alpha, gamma=gamma)
    wanted = losses[labels >= 0].sum()
    assert total.dtype == torch.float32 and total.shape == ()
    assert total.item() == pytest.approx(wanted.item(), rel=1e-6)
    torch.testing.assert_close(
        gradient.double(), torch.autograd.grad(3 * wanted, x)[0], rtol=5e-6, atol=1e-30
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_every_magnitude_is_within_a_few_units_in_the_last_place(
    implementation: str, sign: int
) -> None:
    count = 2000 if implementation == "emulated" else 400_000
    logits = torch.linspace(-80, 80, count)
    targets = torch.full((count,), (1 - sign) / 2)
    z = sign * logits.double().numpy()
    entropy = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    wrong = np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z)))
    for gamma, units in ((0.0, 4), (2.0, 12)):
        losses = sigmoid_focal_loss(logits, targets, -1, gamma).double().numpy()
        wanted = wrong**gamma * entropy
        normal = wanted > 1e-37
        worst = np.abs(losses - wanted)[normal] / wanted[normal]
        assert worst.max() < units * 2**-24, gamma


def test_logits_however_large(implementation: str) -> None:
    logits = torch.tensor([-1e4, 1e4, -1e4, 1e4, -88, 88, 104], requires_grad=True)
    targets = torch.tensor([0.0, 1, 1, 0, 0, 1, 1])
    losses = sigmoid_focal_loss(logits, targets)
    assert losses.tolist() == pytest.approx([0, 0, 2500, 7500, 0, 0, 0], abs=1e-30)
    (gradient,) = torch.autograd.grad(losses.sum(), logits)
    assert gradient.tolist() == pytest.approx([0, 0, -0.25, 0.75, 0, 0, 0], abs=1e-30)


def test_nan_is_not_hidden_unless_it_does_not_count(implementation: str) -> None:
    nan = math.nan
    losses = sigmoid_focal_loss(torch.tensor([nan, 0.0]), torch.tensor([1.0, 0.0]))
    assert losses[0].isnan() and losses[1] == pytest.approx(0.75 / 4 * math.log(2))
    logits = torch.tensor([[nan, 0.0], [nan, nan]]).T.reshape(2, 2, 1, 1).requires_grad_()
    assert sigmoid_focal_loss_sum(logits, torch.tensor([[-1], [0]]), 2).isnan()
    logits = torch.tensor([[nan, nan], [0.0, 0.0]]).reshape(2, 2, 1, 1).requires_grad_()
    total = sigmoid_focal_loss_sum(logits, torch.tensor([[-1], [0]]), 2)
    assert total.item() == pytest.approx((0.25 + 0.75) / 4 * math.log(2))
    (gradient,) = torch.autograd.grad(total, logits)
    assert gradient[0].tolist() == [[[0.0]], [[0.0]]]


@pytest.mark.parametrize("shape", [(0,), (3, 0), ()])
def test_empty_and_single(implementation: str, shape: tuple[int, ...]) -> None:
    logits = torch.zeros(shape, requires_grad=True)
    losses = sigmoid_focal_loss(logits, torch.zeros(shape))
    assert losses.shape == shape
    losses.sum().backward()
    assert logits.grad is not None and logits.grad.shape == shape


@pytest.mark.parametrize("shape", [(0, 6, 4, 4), (2, 6, 0, 4), (2, 0, 3, 3)])
def test_the_sum_of_nothing(implementation: str, shape: tuple[int, ...]) -> None:
    logits = torch.zeros(shape, requires_grad=True)
    labels = torch.zeros((shape[0], shape[1] // 3 * shape[2] * shape[3]), dtype=torch.int64)
    total = sigmoid_focal_loss_sum(logits, labels, 3)
    assert total.item() == 0
    total.backward()
    assert logits.grad is not None and logits.grad.shape == shape


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(implementation: str, dtype: torch.dtype) -> None:
    logits = random(2, 6, 5, 3).to(dtype).requires_grad_()
    labels = torch.arange(60).view(2, 30) % 5 - 1
    total = sigmoid_focal_loss_sum(logits, labels, 3)
    assert total.dtype == torch.float32
    (gradient,) = torch.autograd.grad(total, logits)
    assert gradient.dtype == dtype
    single = logits.detach().float().requires_grad_()
    wanted = sigmoid_focal_loss_sum(single, labels, 3)
    assert total.item() == pytest.approx(wanted.item(), rel=1e-6)
    (slopes,) = torch.autograd.grad(wanted, single)
    assert torch.equal(gradient, slopes.to(dtype))
    losses = sigmoid_focal_loss(logits, logits.gt(1).to(dtype))
    assert losses.dtype == dtype
    torch.testing.assert_close(
        losses.float(), exact(logits, logits > 1, 0.25, 2)[0].float(), rtol=0.02, atol=1e-4
    )


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (-1.0, 0.5), (0.5, 0.0)])
def test_gradients_against_differences(alpha: float, gamma: float) -> None:
    logits = torch.linspace(-5, 5, 24, dtype=torch.float64).view(1, 6, 2, 2).requires_grad_()
    labels = torch.tensor([[0, -1, 2, 1, 3, 0, 1, 2]])
    of_maps: Callable[[Tensor], Tensor] = lambda x: sigmoid_focal_loss_sum(  # noqa: E731
        x, labels, 3, alpha, gamma
    )
    assert torch.autograd.gradcheck(of_maps, (logits,))
    targets = (logits > 1).double()
    assert torch.autograd.gradcheck(
        lambda x: sigmoid_focal_loss(x, targets, alpha, gamma), (logits,)
    )


def test_the_number_of_threads_changes_nothing() -> None:
    logits = random(1, 18, 90, 100)
    labels = torch.randint(-1, 3, (1, 54000), generator=torch.Generator().manual_seed(1))
    before = torch.get_num_threads()
    try:
        sums = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            sums.append(sigmoid_focal_loss_sum(logits, labels, 3).item())
    finally:
        torch.set_num_threads(before)
    assert len(set(sums)) == 1


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="differ"):
        sigmoid_focal_loss(torch.zeros(3), torch.zeros(4))
    with pytest.raises(ValueError, match="differ"):
        sigmoid_focal_loss(torch.zeros(3), torch.zeros(3, dtype=torch.float64))
    labels = torch.zeros((1, 8), dtype=torch.int64)
    for logits in (torch.zeros(1, 7, 2, 2), torch.zeros(1, 6, 2, 3), torch.zeros(6, 4)):
        with pytest.raises(ValueError, match="labels"):
            sigmoid_focal_loss_sum(logits, labels, 3)


def test_it_can_be_traced() -> None:
    logits = random(1, 6, 2, 2).requires_grad_()
    labels = torch.tensor([[0, -1, 2, 1, 3, 0, 1, 2]])
    for operator, arguments in (
        (torch.ops.benchsuite.sigmoid_focal_loss_sum, (logits, labels, 3, 0.25, 2.0)),
        (torch.ops.benchsuite.sigmoid_focal_loss, (logits, (logits > 0).float(), 0.25, 2.0)),
    ):
        torch.library.opcheck(operator.default, arguments)
