"""Focal loss (Lin et al., "Focal loss for dense object detection", 2017) of independent classes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

CHUNK = 1 << 15
"""Values that are computed at once on the CPU: their intermediate results stay in the cache."""


def sigmoid_focal_loss(
    logits: Tensor, targets: Tensor, *, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """``-a_t (1 - p_t)^gamma log(p_t)`` of every logit, p_t being the probability of the truth.

    Args:
        logits: any shape.
        targets: the same shape, 1 where the class is there and 0 where not.
        alpha: weight of the ones, the zeros having ``1 - alpha``; negative: all weigh 1.
        gamma: how fast what is nearly right loses weight; 0: cross entropy.

    Returns:
        The same shape, unreduced; differentiable once on the CPU.
    """
    targets = targets.to(logits.dtype)
    if logits.device.type != "cpu" or torch.compiler.is_compiling():
        return _losses(logits, targets, alpha, gamma)
    losses: Tensor = _InChunks.apply(logits.contiguous(), targets.contiguous(), alpha, gamma)
    return losses


def _losses(logits: Tensor, targets: Tensor, alpha: float, gamma: float) -> Tensor:
    probability = logits.sigmoid()
    wrong = probability + targets - 2 * probability * targets
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none") * wrong**gamma
    return loss if alpha < 0 else loss * (alpha * targets + (1 - alpha) * (1 - targets))


class _InChunks(torch.autograd.Function):
    """``_losses``, whose gradient is formed along with the values."""

    @staticmethod
    def forward(
        context: Any, logits: Tensor, targets: Tensor, alpha: float, gamma: float
    ) -> Tensor:
        losses, slopes = torch.empty_like(logits), torch.empty_like(logits)
        for loss, slope, x, y in _chunks(losses, slopes, logits, targets):
            # With z the logit of being wrong, the loss is weight * sigmoid(z)^gamma * softplus(z).
            sign = 1 - 2 * y
            z = x * sign
            wrong, entropy = z.sigmoid(), F.logsigmoid(-z).neg_()
            factor = wrong**gamma
            if alpha >= 0:
                factor *= alpha * y + (1 - alpha) * (1 - y)
            torch.mul(factor, entropy, out=loss)
            torch.mul(gamma * (1 - wrong) * entropy + wrong, factor * sign, out=slope)
        context.save_for_backward(slopes)
        return losses

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (slopes,) = context.saved_tensors
        return gradients[0] * slopes, None, None, None


def _chunks(*tensors: Tensor) -> zip[tuple[Tensor, ...]]:
    return zip(*(tensor.view(-1).split(CHUNK) for tensor in tensors), strict=True)


def create(alpha: float = 0.25, gamma: float = 2.0) -> Callable[[Tensor, Tensor], Tensor]:
    """The factory: ``sigmoid_focal_loss`` with its two settings."""
    return partial(sigmoid_focal_loss, alpha=alpha, gamma=gamma)
