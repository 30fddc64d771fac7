"""Stochastic depth (Huang et al., "Deep networks with stochastic depth", 2016)."""

from __future__ import annotations

from torch import Tensor, nn


class DropPath(nn.Module):
    """In training, leaves a residual branch out for each image by chance, and scales what is kept
    so that its mean stays; otherwise the identity. (N, ...) in and out.

    Args:
        rate: probability of leaving it out, less than 1.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return branch
        keep = 1 - self.rate
        kept = branch.new_empty((branch.shape[0],) + (1,) * (branch.dim() - 1)).bernoulli_(keep)
        return branch * (kept / keep)

    def extra_repr(self) -> str:
        return f"rate={self.rate:.3f}"


def drop_path_rates(last: float, depth: int) -> list[float]:
    """A rate a block, from 0 at the first of ``depth`` linearly to ``last``."""
    return [last * index / max(depth - 1, 1) for index in range(depth)]
