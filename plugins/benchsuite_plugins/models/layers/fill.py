"""The initial values that Detectron2 (and Caffe2 before it) gives convolutions and linear layers.

All draw from torch's global generator; biases become zero.
"""

from __future__ import annotations

from torch import Tensor, nn


def msra_fill(layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """Normal with variance ``2 / fan_out`` (He et al., "Delving deep into rectifiers", 2015)."""
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    _zero(layer.bias)


def xavier_fill(layer: nn.Conv2d | nn.Linear) -> None:
    """Uniform within ``sqrt(3 / fan_in)``: what Caffe2 calls XavierFill."""
    nn.init.kaiming_uniform_(layer.weight, a=1)
    _zero(layer.bias)


def normal_fill(layer: nn.Conv2d | nn.Linear, std: float) -> None:
    """Normal around zero."""
    nn.init.normal_(layer.weight, std=std)
    _zero(layer.bias)


def _zero(bias: Tensor | None) -> None:
    if bias is not None:
        nn.init.zeros_(bias)
