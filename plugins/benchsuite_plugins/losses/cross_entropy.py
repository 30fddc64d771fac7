"""Cross entropy of classes that exclude each other."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """``-log(softmax(logits)[label])`` of every row.

    Args:
        logits: (R, K).
        labels: (R,) int64.

    Returns:
        (R,), unreduced.
    """
    return F.cross_entropy(logits, labels, reduction="none")


def create() -> Callable[[Tensor, Tensor], Tensor]:
    """The factory: ``cross_entropy``, which has no settings."""
    return cross_entropy
