"""Batch normalisation over the batches of all processes, on any device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn


class SyncBatchNorm2d(nn.SyncBatchNorm):
    """In training, mean and variance are those of all processes' batches together; what a process
    has more of weighs more, and it may have nothing. (N, C, H, W) in and out.

    One process alone has the statistics of its batch. torch's own layer, which this is on GPUs,
    does not take tensors of the CPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        synchronised = self.training and distributed.is_available() and distributed.is_initialized()
        if not synchronised or x.device.type != "cpu":
            out: Tensor = super().forward(x)
            return out
        normalised, mean, variance, count = _Normalise.apply(x.float(), self.eps)
        if self.track_running_stats:
            self._track(mean, variance, count)
        scale, shift = (each.view(1, -1, 1, 1) for each in (self.weight, self.bias))
        return (normalised * scale + shift).to(x.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or count == 0:
            return
        momentum = 0.1 if self.momentum is None else self.momentum
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, momentum)
        # As in torch, what is kept is the unbiased estimate.
        self.running_var.lerp_(variance * (count / (count - 1).clamp(min=1)), momentum)


class _Normalise(torch.autograd.Function):
    """(N, C, H, W) float32 to ``(x - mean) / sqrt(variance + eps)``, mean (C,), variance (C,) and
    how many values a channel has in all processes, ()."""

    @staticmethod
    def forward(context: Any, x: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        axes = (0, 2, 3)
        own = x.new_tensor([x.numel() / x.shape[1]])
        total = torch.cat([x.sum(axes), own])
        distributed.all_reduce(total)
        count = total[-1].clone()
        mean = total[:-1] / count.clamp(min=1)
        centred = x - mean.view(1, -1, 1, 1)
        squares = centred.square().sum(axes)
        distributed.all_reduce(squares)
        variance = squares / count.clamp(min=1)
        scale = (variance + eps).rsqrt()
        normalised = centred * scale.view(1, -1, 1, 1)
        context.save_for_backward(normalised, scale, count)
        context.mark_non_differentiable(mean, variance, count)
        return normalised, mean, variance, count

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        gradient = gradients[0]
        normalised, scale, count = context.saved_tensors
        axes = (0, 2, 3)
        sums = torch.stack([gradient.sum(axes), (gradient * normalised).sum(axes)])
        distributed.all_reduce(sums)
        mean, slope = (each.view(1, -1, 1, 1) for each in sums / count.clamp(min=1))
        return (gradient - mean - normalised * slope) * scale.view(1, -1, 1, 1), None
