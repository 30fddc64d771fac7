"""A convolution with its normalisation and activation, as the published checkpoints nest them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from benchsuite_plugins.models.layers.frozen_batch_norm import FrozenBatchNorm2d
from benchsuite_plugins.models.layers.layer_norm import LayerNorm2d
from benchsuite_plugins.models.layers.sync_batch_norm import SyncBatchNorm2d
from benchsuite_plugins.models.options import NormName

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "FrozenBN": FrozenBatchNorm2d,
    "BN": nn.BatchNorm2d,
    "SyncBN": SyncBatchNorm2d,
    "GN": lambda channels: nn.GroupNorm(32, channels),
    "LN": LayerNorm2d,
}


class Conv2d(nn.Conv2d):
    """A convolution, then (where named) a normalisation, then (where given) an activation.

    The normalisation is a child of the convolution: parameters are called ``weight``,
    ``norm.weight``, ``norm.bias``, ... A convolution has a bias only where it has no normalisation,
    unless told otherwise.

    Args:
        norm: which normalisation; ``""``: none.
        activation: applied last.
        rest: as ``torch.nn.Conv2d`` takes them.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        norm: NormName = "",
        activation: Callable[[Tensor], Tensor] | None = None,
        bias: bool | None = None,
        **rest: Any,
    ) -> None:
        bias = norm == "" if bias is None else bias
        super().__init__(in_channels, out_channels, kernel_size, bias=bias, **rest)
        self.norm = NORMS[norm](out_channels) if norm else None
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        if self.training and isinstance(self.norm, FrozenBatchNorm2d):
            # Folded into the convolution: its own output need not be kept for the backward pass.
            scale, shift = self.norm.affine()
            shift = shift if self.bias is None else shift + scale * self.bias
            out = self._conv_forward(x, self.weight * scale.view(-1, 1, 1, 1), shift)
            return out if self.activation is None else self.activation(out)
        return self.normalize(super().forward(x))

    def normalize(self, x: Tensor) -> Tensor:
        """Normalisation and activation: what follows the convolution itself."""
        if self.norm is not None:
            x = self.norm(x)
        return x if self.activation is None else self.activation(x)
