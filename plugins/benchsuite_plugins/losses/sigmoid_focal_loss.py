"""Focal loss (Lin et al., "Focal loss for dense object detection", 2017) of independent classes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.nn import functional as F


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
        The same shape, unreduced.
    """
    targets = targets.to(logits.dtype)
    probability = logits.sigmoid()
    wrong = probability + targets - 2 * probability * targets
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none") * wrong**gamma
    return loss if alpha < 0 else loss * (alpha * targets + (1 - alpha) * (1 - targets))


def create(alpha: float = 0.25, gamma: float = 2.0) -> Callable[[Tensor, Tensor], Tensor]:
    """The factory: ``sigmoid_focal_loss`` with its two settings."""
    return partial(sigmoid_focal_loss, alpha=alpha, gamma=gamma)
