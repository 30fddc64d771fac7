"""Sigmoid cross entropy over a draw of the classes, for datasets in which no image is annotated for
all of them (Zhou et al., "Probabilistic two-stage detection", 2021, after Gupta et al., "LVIS",
2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F


def federated_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    num_classes: int = 50,
    class_weights: Tensor | Sequence[float] | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The sum, of every row, of the binary cross entropies of the classes drawn for the batch.

    Args:
        logits: (R, K + 1); the last column, background, takes no part.
        labels: (R,) int64, K for background, which is none of the classes.
        num_classes: so many classes are drawn: those among the labels (background counted), and
            others at random.
        class_weights: K numbers that those others are drawn in proportion to, without replacement;
            ``None``: all alike.
        generator: on the logits' device; ``None``: that device's global one.

    Returns:
        (R,), unreduced.
    """
    background = logits.shape[1] - 1
    weights = logits.new_ones(background, dtype=torch.float32)
    if class_weights is not None:
        weights = torch.as_tensor(class_weights, dtype=torch.float32, device=logits.device)
    drawn = draw_classes(labels, weights, num_classes, generator)
    drawn = drawn[drawn < background]
    wanted = (labels[:, None] == drawn).to(logits.dtype)
    losses = F.binary_cross_entropy_with_logits(logits[:, drawn], wanted, reduction="none")
    return losses.sum(dim=1)


def draw_classes(
    labels: Tensor, weights: Tensor, count: int, generator: torch.Generator | None = None
) -> Tensor:
    """The classes among the labels, and others up to ``count`` (fewer where no more have weight).

    Args:
        labels: (R,) int64, 0 to K; K is background and is drawn only where it is a label.
        weights: (K,) float32, not negative.

    Returns:
        (C,) int64, each once, those among the labels first.
    """
    present: Tensor = torch.unique(labels)
    chances = torch.cat([weights, weights.new_zeros(1)])
    chances[present] = 0
    others = min(count - len(present), int((chances > 0).sum()))
    if others <= 0:
        return present
    return torch.cat([present, torch.multinomial(chances, others, generator=generator)])


def create(
    num_classes: int = 50, class_weights: Tensor | Sequence[float] | None = None
) -> Callable[[Tensor, Tensor], Tensor]:
    """The factory: ``federated_loss`` with its settings."""
    return partial(federated_loss, num_classes=num_classes, class_weights=class_weights)
