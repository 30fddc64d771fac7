"""The initial values of transformers' linear layers."""

from __future__ import annotations

from torch import nn


def transformer_fill(module: nn.Module) -> None:
    """Draw every linear layer's weight below ``module`` from a normal distribution of standard
    deviation 0.02, cut off at two; biases become zero."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
