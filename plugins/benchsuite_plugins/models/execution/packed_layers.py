"""Convolutions and fully connected layers through oneDNN, their weights laid out beforehand for the
processor, and what follows a layer done while its output is in the cache.

The operators are those that ``torch.compile`` puts in the place of such layers. Called directly
they need no compiler and take any size. Outputs of convolutions are channels-last.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchsuite_plugins.models.layers.adding import Packed


def available() -> bool:
    """Whether this torch has oneDNN and the operators."""
    operators = torch.ops.mkldnn
    return bool(torch.backends.mkldnn.is_available()) and all(
        hasattr(operators, name)
        for name in ("_convolution_pointwise", "_linear_pointwise", "_reorder_convolution_weight")
    )


class PackedConvolution(Packed):
    """A convolution, then a ReLU where asked for.

    Args:
        conv: two-dimensional, padded with zeros by numbers; its weights are copied.
        dtype: of weights and outputs; inputs are cast to it.
    """

    def __init__(self, conv: nn.Conv2d, dtype: torch.dtype, *, relu: bool) -> None:
        self.dtype = dtype
        self.bias = None if conv.bias is None else conv.bias.detach().to(dtype)
        self.geometry = (
            list(conv.padding),
            list(conv.stride),
            list(conv.dilation),
            conv.groups,
        )
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(
            conv.weight.detach().to(dtype), *self.geometry, None
        )
        self.activation = "relu" if relu else "none"

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, out_channels, H', W')."""
        output: Tensor = torch.ops.mkldnn._convolution_pointwise(
            self._as_read(x), self.weight, self.bias, *self.geometry, self.activation, [], ""
        )
        return output

    def add_to(self, total: Tensor, x: Tensor, *, relu: bool) -> Tensor:
        output: Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(
            self._as_read(total),
            self._as_read(x),
            self.weight,
            self.bias,
            *self.geometry,
            "add",
            1.0,
            "relu" if relu else None,
            [],
            None,
        )
        return output

    def _as_read(self, x: Tensor) -> Tensor:
        return x.to(self.dtype, memory_format=torch.channels_last)


class PackedDeconvolution:
    """A transposed convolution; arguments as for ``PackedConvolution``."""

    def __init__(self, conv: nn.ConvTranspose2d, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.bias = None if conv.bias is None else conv.bias.detach().to(dtype)
        self.geometry = (
            list(conv.padding),
            list(conv.output_padding),
            list(conv.stride),
            list(conv.dilation),
            conv.groups,
        )
        self.weight = torch.ops.mkldnn._reorder_convolution_transpose_weight(
            conv.weight.detach().to(dtype), *self.geometry, None
        )

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, out_channels, H', W')."""
        output: Tensor = torch.ops.mkldnn._convolution_transpose_pointwise(
            x.to(self.dtype, memory_format=torch.channels_last),
            self.weight,
            self.bias,
            *self.geometry,
            "none",
            [],
            "",
        )
        return output


class PackedLinear:
    """A fully connected layer; arguments as for ``PackedConvolution``."""

    def __init__(self, linear: nn.Linear, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.bias = None if linear.bias is None else linear.bias.detach().to(dtype)
        self.weight = torch.ops.mkldnn._reorder_linear_weight(
            linear.weight.detach().to(dtype), None
        )

    def __call__(self, x: Tensor) -> Tensor:
        """(..., C) to (..., out_features)."""
        output: Tensor = torch.ops.mkldnn._linear_pointwise(
            x.to(self.dtype), self.weight, self.bias, "none", [], ""
        )
        return output
