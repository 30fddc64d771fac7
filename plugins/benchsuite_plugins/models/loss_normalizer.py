"""What the losses of dense detectors are divided by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed, nn


class LossNormalizer(nn.Module):
    """A moving average of how many positives a batch has, so that a batch with few does not weigh
    each of them much. It is no part of a checkpoint.

    Each batch is a step of training, unless ``whole_step`` holds several together: then each is
    divided by the average with itself alone in it, and the average moves once. So it does not
    matter whether the batches of a step come one after the other or in processes of their own.

    Args:
        start: the average before the first batch.
        momentum: what the average keeps of itself at each batch.
    """

    value: Tensor

    def __init__(self, start: float, momentum: float = 0.9) -> None:
        super().__init__()
        self.momentum = momentum
        self.counts: list[Tensor] | None = None
        self.register_buffer("value", torch.tensor(start), persistent=False)

    def forward(self, positives: Tensor) -> Tensor:
        """The average with this batch in it; it is kept in training mode alone.

        Args:
            positives: () how many there are; none count as one.

        Returns:
            () float32.
        """
        count = positives.clamp(min=1).to(self.value.dtype)
        average = self._with(count)
        if self.training and self.counts is not None:
            self.counts.append(count)
        elif self.training:
            self.value.copy_(average)
        return average

    @contextmanager
    def whole_step(self) -> Iterator[None]:
        """Hold the batches of a step together: at its end the average moves by their mean over all
        processes, each of which has to take part."""
        self.counts = []
        try:
            yield
            # One more, of no weight, for a process that had no batch.
            counts = torch.stack([self.value.new_zeros(()), *self.counts])
            total = torch.stack([counts.sum(), counts.new_tensor(len(self.counts))])
            if distributed.is_available() and distributed.is_initialized():
                distributed.all_reduce(total)
            if total[1] > 0:
                self.value.copy_(self._with(total[0] / total[1]))
        finally:
            self.counts = None

    def _with(self, count: Tensor) -> Tensor:
        return self.momentum * self.value + (1 - self.momentum) * count
