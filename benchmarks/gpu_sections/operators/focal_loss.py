"""Focal loss of RetinaNet's logits: unreduced, and summed over a head's output as it lies."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss as torchvision_focal_loss

from benchsuite_kernels import ops
from gpu_sections.operators.case import Case, Inputs, Size, all_bytes, close

CLASSES, ANCHORS = 80, 9


def elementwise(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
    generator = torch.Generator().manual_seed(seed)
    shape = (size.of(2, 1), size.of(201_600, 700), CLASSES)
    logits = (2 * torch.randn(shape, generator=generator) - 4).to(dtype)
    return logits, (torch.rand(shape, generator=generator) < 0.01).to(dtype)


def plain(logits: Tensor, targets: Tensor) -> Tensor:
    probability = logits.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    wrong = probability + targets - 2 * probability * targets
    return (0.25 * targets + 0.75 * (1 - targets)) * wrong**2 * entropy


def of_head(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
    generator = torch.Generator().manual_seed(seed)
    images, height, width = size.of(8, 2), size.of(100, 6), size.of(168, 10)
    shape = (images, ANCHORS * CLASSES, height, width)
    logits = (2 * torch.randn(shape, generator=generator) - 4).to(dtype)
    logits = logits.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(
        -1, 40 * CLASSES, (images, height * width * ANCHORS), generator=generator
    )
    return logits, labels.clamp(max=CLASSES), CLASSES


def summed_by_torchvision(logits: Tensor, labels: Tensor, classes: int) -> Tensor:
    rows = logits.permute(0, 2, 3, 1).reshape(-1, classes)
    labels = labels.reshape(-1)
    targets = F.one_hot(labels.clamp(min=0), classes + 1)[:, :classes].to(rows.dtype)
    losses = torchvision_focal_loss(rows, targets, reduction="none")
    return (losses * (labels >= 0)[:, None]).sum(dtype=torch.float32)


def of_two(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
    logits, labels, classes = of_head(seed, dtype, size)
    return logits[:2], labels[:2], classes


def training(loss: Callable[..., Tensor]) -> Callable[..., tuple[Tensor, Tensor]]:
    """The sum and its gradient."""

    def run(logits: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
        logits = logits.detach().requires_grad_()
        total = loss(logits, labels, classes)
        return total.detach(), torch.autograd.grad(total, logits)[0]

    return run


CASES = [
    Case(
        "sigmoid_focal_loss/2x201600x80",
        elementwise,
        ops.sigmoid_focal_loss,
        {"torchvision": lambda logits, targets: torchvision_focal_loss(logits, targets)},
        plain=plain,
    ),
    Case(
        "sigmoid_focal_loss_sum/8x720x100x168",
        of_head,
        ops.sigmoid_focal_loss_sum,
        {"torchvision": summed_by_torchvision},
        plain=summed_by_torchvision,
    ),
    Case(
        "sigmoid_focal_loss_sum/2x720x100x168_training",
        of_two,
        training(ops.sigmoid_focal_loss_sum),
        {"torchvision": training(summed_by_torchvision)},
        compare=lambda mine, other, inputs, tolerance: max(
            close(*pair, inputs, tolerance) for pair in zip(mine, other, strict=True)
        ),
        # Logits are read twice, and the gradient is written.
        traffic=lambda inputs, output: all_bytes(inputs, output) + all_bytes((), inputs[0]),
    ),
]
