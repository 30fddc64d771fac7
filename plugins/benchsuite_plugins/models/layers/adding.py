"""A convolution whose output is added to what is there: the end of a residual block, the way down
a feature pyramid."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn
from torch.nn import functional as F


class Packed(ABC):
    """What stands in for the ``forward`` of a convolution that only predicts (see
    ``models.execution``)."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, out_channels, H', W')."""

    @abstractmethod
    def add_to(self, total: Tensor, x: Tensor, *, relu: bool) -> Tensor:
        """What ``add_convolution`` does, in one pass over ``total``."""


def add_convolution(total: Tensor, conv: nn.Module, x: Tensor, *, relu: bool = False) -> Tensor:
    """``total + conv(x)``, and then a ReLU where asked for.

    Args:
        total: (N, C, H, W), of no further use: it may be written over.
        conv: from ``x`` to the shape of ``total``.
    """
    if isinstance(conv.forward, Packed):
        return conv.forward.add_to(total, x, relu=relu)
    out: Tensor = conv(x)
    out += total
    return F.relu_(out) if relu else out
