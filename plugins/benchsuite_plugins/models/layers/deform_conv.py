"""A convolution that reads where it is told (Dai et al., "Deformable convolutional networks",
2017), and how much (Zhu et al., "Deformable ConvNets v2", 2019), with its normalisation and
activation."""

from __future__ import annotations

from torch import Tensor

from benchsuite_kernels import ops
from benchsuite_plugins.models.layers.conv import Conv2d


class DeformConv2d(Conv2d):
    """``Conv2d`` whose kernel is moved at each point."""

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor | None = None) -> Tensor:
        """Convolve, bilinearly, with zeros outside of ``x``.

        Args:
            x: (N, C, H, W).
            offset: (N, G * 2 * K * K, H', W'): dy and dx in cells of ``x``, for each point of the
                kernel, row by row; for each of G equal groups of channels, one after the other.
            mask: (N, G * K * K, H', W'): factors of what is read (version 2); ``None``: 1.

        Returns:
            (N, out_channels, H', W').
        """
        # Offsets are added to coordinates, for which half precision is too coarse.
        out = ops.deform_conv2d(
            x,
            offset.float(),
            self.weight.to(x.dtype),
            None if self.bias is None else self.bias.to(x.dtype),
            mask=None if mask is None else mask.float(),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
        )
        return self.normalize(out)
