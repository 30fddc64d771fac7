"""The building block of shallow residual networks (He et al., "Deep residual learning for image
recognition", 2015, figure 5 on the left)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite_plugins.models.layers.adding import add_convolution
from benchsuite_plugins.models.layers.conv import Conv2d
from benchsuite_plugins.models.layers.fill import msra_fill
from benchsuite_plugins.models.options import NormName


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the identity, or a 1x1 convolution where shapes differ; the first
    one strides."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, norm: NormName) -> None:
        super().__init__()
        self.shortcut: Conv2d | None = None
        if in_channels != out_channels:
            self.shortcut = Conv2d(
                in_channels, out_channels, 1, stride=stride, bias=False, norm=norm
            )
        self.conv1 = Conv2d(
            in_channels,
            out_channels,
            3,
            stride=stride,
            padding=1,
            bias=False,
            norm=norm,
            activation=F.relu_,
        )
        self.conv2 = Conv2d(out_channels, out_channels, 3, padding=1, bias=False, norm=norm)
        for conv in (self.shortcut, self.conv1, self.conv2):
            if conv is not None:
                msra_fill(conv)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(x)
        identity = x if self.shortcut is None else self.shortcut(x)
        return add_convolution(identity, self.conv2, out, relu=True)
