"""What the losses of dense detectors are divided by."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LossNormalizer(nn.Module):
    """A moving average of how many positives a batch has, so that a batch with few does not weigh
    each of them much. It is no part of a checkpoint.

    Args:
        start: the average before the first batch.
        momentum: what the average keeps of itself at each batch.
    """

    value: Tensor

    def __init__(self, start: float, momentum: float = 0.9) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("value", torch.tensor(start), persistent=False)

    def forward(self, positives: Tensor) -> Tensor:
        """The average with this batch in it; it is kept in training mode alone.

        Args:
            positives: () how many there are; none count as one.

        Returns:
            () float32.
        """
        count = positives.clamp(min=1).to(self.value.dtype)
        average = self.momentum * self.value + (1 - self.momentum) * count
        if self.training:
            self.value.copy_(average)
        return average
