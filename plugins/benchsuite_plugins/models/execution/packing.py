"""Packed layers put in the places of a model's own."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite_plugins.models.execution.packed_layers import (
    PackedConvolution,
    PackedDeconvolution,
    PackedLinear,
)
from benchsuite_plugins.models.layers.conv import Conv2d

RELUS = (F.relu, F.relu_)


def pack(model: nn.Module, dtype: torch.dtype) -> None:
    """Let every convolution and fully connected layer of a model on the CPU compute packed.

    A layer keeps its place, its parameters and its hooks: only its ``forward`` is another one.
    Layers that do something of their own, such as deformable convolutions, stay as they are.
    """
    followed = _join_activations(model)
    for layer in model.modules():
        if type(layer) is Conv2d:
            _pack_normalized(layer, dtype)
        elif type(layer) is nn.Conv2d and _is_plain(layer):
            layer.forward = PackedConvolution(layer, dtype, relu=layer in followed)
        elif type(layer) is nn.ConvTranspose2d and _is_plain(layer):
            layer.forward = PackedDeconvolution(layer, dtype)
        elif type(layer) is nn.Linear:
            layer.forward = PackedLinear(layer, dtype)


def _join_activations(model: nn.Module) -> set[nn.Module]:
    """Take each ReLU out that directly follows a plain convolution in a list of layers; the
    convolutions that are to do it themselves."""
    followed: set[nn.Module] = set()
    for layers in model.modules():
        if isinstance(layers, nn.Sequential):
            for index, (layer, following) in enumerate(pairwise(layers)):
                if type(layer) is nn.Conv2d and _is_plain(layer) and type(following) is nn.ReLU:
                    followed.add(layer)
                    layers[index + 1] = nn.Identity()
    return followed


def _pack_normalized(conv: Conv2d, dtype: torch.dtype) -> None:
    alone = conv.norm is None and (conv.activation is None or conv.activation in RELUS)
    packed = PackedConvolution(conv, dtype, relu=alone and conv.activation is not None)
    conv.forward = packed if alone else _Normalized(packed, conv)


class _Normalized:
    """A packed convolution and what follows it."""

    def __init__(self, packed: PackedConvolution, conv: Conv2d) -> None:
        self.packed = packed
        self.conv = conv

    def __call__(self, x: Tensor) -> Tensor:
        return self.conv.normalize(self.packed(x))


def _is_plain(conv: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    return conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
