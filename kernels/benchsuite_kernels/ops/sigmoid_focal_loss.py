"""Focal loss of independent classes (Lin et al., "Focal loss for dense object detection", 2017)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.registration import register, register_gradient
from benchsuite_kernels.ops.tensors import stored

THREADS = 256
MOST_BLOCKS = 4096
"""On a GPU; further logits are taken by the same blocks."""


def sigmoid_focal_loss(
    logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """``-a_t (1 - p_t)^gamma log(p_t)`` of every logit, p_t being the probability of the truth.

    Args:
        logits: any shape, floating; NaN gives NaN.
        targets: the same shape and dtype, 1 where the class is there and 0 where not.
        alpha: weight of the ones, the zeros having ``1 - alpha``; negative: all weigh 1.
        gamma: how fast what is nearly right loses weight; 0: cross entropy.

    Returns:
        The logits' shape and dtype, unreduced; differentiable in the logits, once.

    Raises:
        ValueError: shapes or dtypes differ.
    """
    if logits.shape != targets.shape or logits.dtype != targets.dtype:
        raise ValueError(
            f"logits {tuple(logits.shape)} {logits.dtype} and targets {tuple(targets.shape)} "
            f"{targets.dtype} differ"
        )
    losses: Tensor = _operator(logits, targets, alpha, gamma)
    return losses


def terms(logits: Tensor, positive: Tensor, alpha: float, gamma: float) -> tuple[Tensor, Tensor]:
    """The losses of logits and their slopes, in plain torch; ``positive`` is bool, of one shape.

    With z the logit of being wrong, a loss is ``weight * sigmoid(z)^gamma * softplus(z)``.
    """
    z = logits.where(~positive, -logits)
    wrong, entropy = z.sigmoid(), -F.logsigmoid(-z)
    weight = wrong**gamma
    if alpha >= 0:
        weight = weight * torch.where(positive, alpha, 1 - alpha).to(logits.dtype)
    slopes = weight * (gamma * (-z).sigmoid() * entropy + wrong)
    return weight * entropy, slopes.where(~positive, -slopes)


def weights(alpha: float) -> tuple[float, float]:
    """What ones and zeros weigh."""
    return (1.0, 1.0) if alpha < 0 else (float(alpha), 1.0 - alpha)


def blocks_for(count: int) -> int:
    """Blocks of ``THREADS`` for so many logits."""
    return min(-(-count // THREADS), MOST_BLOCKS)


def reference(logits: Tensor, targets: Tensor, alpha: float, gamma: float) -> Tensor:
    """``sigmoid_focal_loss`` in plain torch."""
    return terms(logits, targets > 0.5, alpha, gamma)[0]


def reference_backward(
    gradient: Tensor, logits: Tensor, targets: Tensor, alpha: float, gamma: float
) -> Tensor:
    """The gradient in the logits, in plain torch."""
    return gradient * terms(logits, targets > 0.5, alpha, gamma)[1]


def _native(logits: Tensor, targets: Tensor, alpha: float, gamma: float) -> Tensor:
    if logits.dtype is not torch.float32:
        return NotImplemented
    losses = torch.empty_like(logits, memory_format=torch.contiguous_format)
    extension().sigmoid_focal_loss(
        stored(logits), stored(targets), alpha, gamma, losses, torch.get_num_threads()
    )
    return losses


def _native_backward(
    gradient: Tensor, logits: Tensor, targets: Tensor, alpha: float, gamma: float
) -> Tensor:
    if logits.dtype is not torch.float32:
        return NotImplemented
    result = gradient.clone(memory_format=torch.contiguous_format)
    extension().sigmoid_focal_loss_backward(
        result, stored(logits), stored(targets), alpha, gamma, torch.get_num_threads()
    )
    return result


def _cuda(logits: Tensor, targets: Tensor, alpha: float, gamma: float) -> Tensor:
    if logits.dtype is torch.float64:
        return NotImplemented
    losses = torch.empty_like(logits, memory_format=torch.contiguous_format)
    count = logits.numel()
    launch(
        "sigmoid_focal_loss.cu",
        "focal_losses",
        grid=(blocks_for(count), 1, 1),
        block=(THREADS, 1, 1),
        arguments=(stored(logits), stored(targets), losses, count, *weights(alpha), float(gamma)),
        scalar=logits.dtype,
    )
    return losses


def _cuda_backward(
    gradient: Tensor, logits: Tensor, targets: Tensor, alpha: float, gamma: float
) -> Tensor:
    if logits.dtype is torch.float64:
        return NotImplemented
    slopes = torch.empty_like(logits, memory_format=torch.contiguous_format)
    count = logits.numel()
    launch(
        "sigmoid_focal_loss.cu",
        "focal_slopes",
        grid=(blocks_for(count), 1, 1),
        block=(THREADS, 1, 1),
        arguments=(
            stored(gradient),
            stored(logits),
            stored(targets),
            slopes,
            count,
            *weights(alpha),
            float(gamma),
        ),
        scalar=logits.dtype,
    )
    return slopes


def _fake(logits: Tensor, targets: Tensor, alpha: float, gamma: float) -> Tensor:
    return torch.empty_like(logits, memory_format=torch.contiguous_format)


def _fake_backward(
    gradient: Tensor, logits: Tensor, targets: Tensor, alpha: float, gamma: float
) -> Tensor:
    return torch.empty_like(logits, memory_format=torch.contiguous_format)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    logits, targets, ctx.alpha, ctx.gamma = inputs
    ctx.save_for_backward(logits, targets)


def _differentiate(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    logits, targets = ctx.saved_tensors
    return _backward(gradient, logits, targets, ctx.alpha, ctx.gamma), None, None, None


_operator = register(
    "sigmoid_focal_loss(Tensor logits, Tensor targets, float alpha, float gamma) -> Tensor",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)
_backward = register(
    "sigmoid_focal_loss_backward(Tensor gradient, Tensor logits, Tensor targets, float alpha, "
    "float gamma) -> Tensor",
    reference=reference_backward,
    native=_native_backward,
    cuda=_cuda_backward,
    fake=_fake_backward,
)
register_gradient("sigmoid_focal_loss", _differentiate, _keep)
