"""Batch normalisations folded into the convolutions that they follow."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchsuite_plugins.models.layers.conv import Conv2d
from benchsuite_plugins.models.layers.frozen_batch_norm import FrozenBatchNorm2d


@torch.no_grad()
def fold_batch_norms(module: nn.Module) -> None:
    """Replace each convolution with a batch normalisation by one convolution with a bias.

    In evaluation mode both are affine, a channel at a time, so that only rounding changes: scales
    are multiplied in float64 and rounded once. The normalisations go, with their entries in the
    state dict.
    """
    for layer in module.modules():
        if isinstance(layer, Conv2d) and isinstance(layer.norm, FrozenBatchNorm2d | _BATCH_NORM):
            scale, shift = _affine(layer.norm)
            weight = layer.weight.double() * scale.view(-1, 1, 1, 1)
            bias = shift if layer.bias is None else shift + scale * layer.bias.double()
            layer.weight = nn.Parameter(weight.to(layer.weight), requires_grad=False)
            layer.bias = nn.Parameter(bias.to(layer.weight), requires_grad=False)
            layer.norm = None


_BATCH_NORM = nn.modules.batchnorm._BatchNorm


def _affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """What a channel is multiplied by, and what is added then: (channels,) float64 each."""
    variance, mean, weight, bias = (
        getattr(norm, name).double() for name in ("running_var", "running_mean", "weight", "bias")
    )
    scale = weight * (variance + norm.eps).rsqrt()
    return scale, bias - mean * scale
