"""Smooth L1 (Girshick, "Fast R-CNN", 2015, equation 3)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor


def smooth_l1_loss(predicted: Tensor, target: Tensor, *, beta: float = 0.0) -> Tensor:
    """``|d|``, but for differences less than ``beta`` a parabola, all less ``beta / 2``.

    Args:
        predicted, target: of one shape.
        beta: where the parabola ends; 0: L1.

    Returns:
        The same shape, unreduced.
    """
    difference = (predicted - target).abs()
    if beta == 0:
        return difference
    near = difference < beta
    return (0.5 * difference**2 / beta).where(near, difference - 0.5 * beta)


def create(beta: float = 0.0) -> Callable[[Tensor, Tensor], Tensor]:
    """The factory: ``smooth_l1_loss`` with its setting."""
    return partial(smooth_l1_loss, beta=beta)
