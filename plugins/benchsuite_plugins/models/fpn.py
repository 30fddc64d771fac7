"""Feature pyramid network (Lin et al., "Feature pyramid networks for object detection", 2017)."""

from __future__ import annotations

from math import log2

from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite_plugins.models.features import check_names
from benchsuite_plugins.models.layers.conv import Conv2d
from benchsuite_plugins.models.layers.fill import xavier_fill
from benchsuite_plugins.models.options import FPNOptions
from benchsuite_plugins.models.resnet import ResNet


class LastLevelMaxPool(nn.Module):
    """One more level, of half the size: every other cell of the coarsest one."""

    num_levels = 1

    def forward(self, coarsest: Tensor) -> list[Tensor]:
        return [F.max_pool2d(coarsest, kernel_size=1, stride=2)]


class FPN(nn.Module):
    """Levels ``p2``, ``p3``, ... of equal width; level ``pK`` has stride ``2**K``.

    Attributes:
        channels: level to its channels.
        strides: level to input pixels a cell.
        size_divisibility: both sides of the input must be multiples of it.
    """

    def __init__(self, bottom_up: ResNet, options: FPNOptions, top_block: LastLevelMaxPool) -> None:
        super().__init__()
        check_names("fpn.in_features", options.in_features, bottom_up.channels)
        self.in_features = options.in_features
        self.average = options.fuse_type == "avg"
        self.levels = [int(log2(bottom_up.strides[name])) for name in options.in_features]
        for level, name in zip(self.levels, options.in_features, strict=True):
            lateral = Conv2d(bottom_up.channels[name], options.out_channels, 1, norm=options.norm)
            output = Conv2d(
                options.out_channels, options.out_channels, 3, padding=1, norm=options.norm
            )
            for conv in (lateral, output):
                xavier_fill(conv)
            self.add_module(f"fpn_lateral{level}", lateral)
            self.add_module(f"fpn_output{level}", output)
        self.top_block = top_block
        self.bottom_up = bottom_up
        top = self.levels[-1]
        levels = [*self.levels, *range(top + 1, top + 1 + top_block.num_levels)]
        self.channels = {f"p{level}": options.out_channels for level in levels}
        self.strides = {f"p{level}": 2**level for level in levels}
        self.size_divisibility = 2**top

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to a (N, channels, H / stride, W / stride) a level, finest first."""
        features = self.bottom_up(x)
        outputs: list[Tensor] = []
        merged: Tensor | None = None
        for level, name in zip(reversed(self.levels), reversed(self.in_features), strict=True):
            lateral = self.get_submodule(f"fpn_lateral{level}")(features[name])
            if merged is None:
                merged = lateral
            else:
                merged = F.interpolate(merged, scale_factor=2.0, mode="nearest")
                merged += lateral
                if self.average:
                    merged /= 2
            outputs.insert(0, self.get_submodule(f"fpn_output{level}")(merged))
        outputs += self.top_block(outputs[-1])
        return dict(zip(self.channels, outputs, strict=True))
