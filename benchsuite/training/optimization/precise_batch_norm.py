"""Statistics of batch normalisation as they are for the weights of now.

What a layer keeps while it trains is a moving average, of batches that older weights saw. Before
the weights are validated and kept, it can be measured anew: over many batches that the weights of
now see (Wu and Johnson, Rethinking "Batch" in BatchNorm, 2021, section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from benchsuite.training.loading.micro_batch import MicroBatch

BATCHES = 200
"""How many micro-batches of each process are measured, as in Detectron2."""


@torch.no_grad()
def measure_statistics(
    model: nn.Module, losses: Callable[[MicroBatch], Any], batches: Iterable[MicroBatch]
) -> None:
    """Put the mean and variance over ``batches`` into every layer that normalises by its batch.

    Nothing else of the model changes, nor does torch's generator. Several processes have to do it
    together, each with as many batches; then the statistics are those of all of them.

    Args:
        model: in training mode.
        losses: a forward pass of the model, without gradients.
    """
    layers = [
        module
        for module in model.modules()
        if isinstance(module, _BatchNorm) and module.training and module.running_mean is not None
    ]
    if not layers:
        return
    with ExitStack() as stack:
        stack.enter_context(_as_it_was(model))
        measured = [_Measured(layer, stack) for layer in layers]
        for batch in batches:
            torch.manual_seed(batch.seed)
            losses(batch)
    for each in measured:
        each.keep()


class _Measured:
    """What a layer saw, averaged over every time that it was applied.

    With a momentum of 1 a layer's running statistics are those of what it saw last.
    """

    def __init__(self, layer: _BatchNorm, stack: ExitStack) -> None:
        self.layer = layer
        mean, variance = _statistics(layer)
        self.sums = torch.zeros_like(torch.stack([mean, variance]), dtype=torch.float64)
        self.count = 0
        self.momentum, layer.momentum = layer.momentum, 1.0
        stack.callback(self._end)
        stack.callback(layer.register_forward_hook(self._add).remove)

    def _add(self, layer: nn.Module, inputs: Sequence[Tensor], output: Tensor) -> None:
        if inputs[0].numel():
            mean, variance = (each.double() for each in _statistics(self.layer))
            # The variance of all is the mean of the variances, and the variance of the means.
            self.sums += torch.stack([mean, variance + mean.square()])
            self.count += 1

    def _end(self) -> None:
        self.layer.momentum = self.momentum

    def keep(self) -> None:
        """Give the layer the statistics of everything that it saw, in all processes."""
        total = torch.cat([self.sums.flatten(), self.sums.new_tensor([self.count])])
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(total)
        if total[-1] == 0:
            return
        mean, square = (total[:-1] / total[-1]).view_as(self.sums)
        running_mean, running_variance = _statistics(self.layer)
        running_mean.copy_(mean)
        running_variance.copy_((square - mean.square()).clamp(min=0))


def _statistics(layer: _BatchNorm) -> tuple[Tensor, Tensor]:
    assert layer.running_mean is not None and layer.running_var is not None
    return layer.running_mean, layer.running_var


@contextmanager
def _as_it_was(model: nn.Module) -> Iterator[None]:
    """All buffers and torch's generators are afterwards as they were before."""
    devices = {each.device for each in model.parameters() if each.device.type == "cuda"}
    kept = [(buffer, buffer.clone()) for buffer in model.buffers()]
    with torch.random.fork_rng(devices=[device.index for device in devices]):
        try:
            yield
        finally:
            for buffer, before in kept:
                buffer.copy_(before)
