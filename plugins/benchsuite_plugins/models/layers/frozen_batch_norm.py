"""Batch normalisation whose statistics and affine parameters are constants."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FrozenBatchNorm2d(nn.Module):
    """``(x - running_mean) / sqrt(running_var + eps) * weight + bias``, a channel at a time.

    All four are buffers, and no step of training changes them. (N, C, H, W) in and out.
    """

    optional_state: ClassVar[dict[str, float]] = {"running_mean": 0.0, "running_var": 1.0}
    """What stands for the statistics in old checkpoints, which had folded them into the affine
    parameters (see ``checkpoints.load_state``)."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.channels = channels
        self.eps = eps
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )

    def affine(self) -> tuple[Tensor, Tensor]:
        """What a channel is multiplied by, and what is added then: (channels,) each."""
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        return scale, self.bias - self.running_mean * scale

    def extra_repr(self) -> str:
        return f"{self.channels}, eps={self.eps}"


def freeze(module: nn.Module) -> None:
    """Take all parameters of a module and of what it is made of out of training.

    Batch normalisations become frozen ones that keep their counter of batches, so that the names
    in a checkpoint stay.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d | nn.SyncBatchNorm):
            setattr(module, name, _frozen(child))
        else:
            freeze(child)
    for parameter in module.parameters():
        parameter.requires_grad_(False)


def _frozen(norm: nn.BatchNorm2d | nn.SyncBatchNorm) -> FrozenBatchNorm2d:
    frozen = FrozenBatchNorm2d(norm.num_features, norm.eps)
    frozen.load_state_dict(norm.state_dict(), strict=False)
    frozen.register_buffer("num_batches_tracked", norm.num_batches_tracked)
    return frozen
