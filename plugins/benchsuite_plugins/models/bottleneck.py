"""The building block of deep residual networks (He et al., 2015; Xie et al., 2016)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from benchsuite_plugins.models.layers.adding import add_convolution
from benchsuite_plugins.models.layers.conv import Conv2d
from benchsuite_plugins.models.layers.fill import msra_fill
from benchsuite_plugins.models.layers.recomputable_block import RecomputableBlock
from benchsuite_plugins.models.options import NormName


class BottleneckBlock(RecomputableBlock):
    """1x1, 3x3, 1x1 convolutions and the identity, or a 1x1 convolution where shapes differ."""

    middle_convolution: ClassVar[type[Conv2d]] = Conv2d

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bottleneck_channels: int,
        *,
        stride: int,
        stride_in_1x1: bool,
        num_groups: int,
        dilation: int,
        norm: NormName,
    ) -> None:
        super().__init__()
        stride_1x1, stride_3x3 = (stride, 1) if stride_in_1x1 else (1, stride)
        self.shortcut: Conv2d | None = None
        if in_channels != out_channels:
            self.shortcut = Conv2d(
                in_channels, out_channels, 1, stride=stride, bias=False, norm=norm
            )
        self.conv1 = Conv2d(
            in_channels,
            bottleneck_channels,
            1,
            stride=stride_1x1,
            bias=False,
            norm=norm,
            activation=F.relu_,
        )
        self.conv2 = self.middle_convolution(
            bottleneck_channels,
            bottleneck_channels,
            3,
            stride=stride_3x3,
            padding=dilation,
            dilation=dilation,
            groups=num_groups,
            bias=False,
            norm=norm,
            activation=F.relu_,
        )
        self.conv3 = Conv2d(bottleneck_channels, out_channels, 1, bias=False, norm=norm)
        for conv in (self.shortcut, self.conv1, self.conv2, self.conv3):
            if conv is not None:
                msra_fill(conv)

    def middle(self, x: Tensor) -> Tensor:
        """The 3x3 convolution."""
        out: Tensor = self.conv2(x)
        return out

    def compute(self, x: Tensor) -> Tensor:
        out = self.middle(self.conv1(x))
        identity = x if self.shortcut is None else self.shortcut(x)
        return add_convolution(identity, self.conv3, out, relu=True)
