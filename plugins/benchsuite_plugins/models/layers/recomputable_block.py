"""A block of a deep network that may forget its activations (Chen et al., "Training deep nets with
sublinear memory cost", 2016)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


class RecomputableBlock(nn.Module, ABC):
    """A subclass says in ``compute`` what would be ``forward``.

    Attributes:
        recompute: whether training keeps only the block's input, and computes what lies between
            anew in the backward pass. Values and gradients are the same.
    """

    recompute = False

    @abstractmethod
    def compute(self, *inputs: Any) -> Tensor:
        """The block itself."""

    def forward(self, *inputs: Any) -> Tensor:
        if not (self.recompute and self.training and torch.is_grad_enabled()):
            return self.compute(*inputs)
        out: Tensor = checkpoint(
            self.compute, *inputs, use_reentrant=False, context_fn=self._contexts
        )
        return out

    def _contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _averages_kept(self)


@contextmanager
def _averages_kept(block: nn.Module) -> Iterator[None]:
    """Batch norms see the same batch again, which must not move their averages twice."""
    averages = [
        (module, name, buffer)
        for module in block.modules()
        if isinstance(module, _BatchNorm)
        for name, buffer in module.named_buffers(recurse=False)
    ]
    for module, name, buffer in averages:
        setattr(module, name, buffer.clone())
    try:
        yield
    finally:
        for module, name, buffer in averages:
            setattr(module, name, buffer)
