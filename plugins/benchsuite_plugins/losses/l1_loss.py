"""L1: the absolute difference."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def l1_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """``|predicted - target|``, of one shape, unreduced."""
    return (predicted - target).abs()


def create() -> Callable[[Tensor, Tensor], Tensor]:
    """The factory: ``l1_loss``, which has no settings."""
    return l1_loss
