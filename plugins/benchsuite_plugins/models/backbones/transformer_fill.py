"""The initial values of transformers' linear layers."""

from __future__ import annotations

from torch import nn


def transformer_fill(module: nn.Module) -> None:
    """Draw the weight of every linear layer in ``module`` from a normal distribution of standard
    deviation 0.02; biases become zero."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
