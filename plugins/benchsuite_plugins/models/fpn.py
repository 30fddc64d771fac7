"""Feature pyramid network (Lin et al., "Feature pyramid networks for object detection", 2017)."""

from __future__ import annotations

from math import log2

from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite_plugins.models.features import Backbone, check_names
from benchsuite_plugins.models.layers.adding import add_convolution
from benchsuite_plugins.models.layers.conv import Conv2d
from benchsuite_plugins.models.layers.fill import xavier_fill
from benchsuite_plugins.models.options import FPNOptions


class LastLevelMaxPool(nn.Module):
    """One more level, of half the size: every other cell of the coarsest one."""

    num_levels = 1
    in_feature: str | None = None
    """``None``: the pyramid's coarsest level, whatever its name."""

    def forward(self, coarsest: Tensor) -> list[Tensor]:
        return [F.max_pool2d(coarsest, kernel_size=1, stride=2)]


class LastLevelP6P7(nn.Module):
    """Two more levels, each of half the size of the one before, by strided 3x3 convolutions (Lin et
    al., "Focal loss for dense object detection", 2017).

    Args:
        in_channels: of ``in_feature``.
        out_channels: of both levels.
        in_feature: what p6 is made from: a map of the bottom-up network (``"res5"``) or a level of
            the pyramid (``"p5"``).
    """

    num_levels = 2

    def __init__(self, in_channels: int, out_channels: int, in_feature: str) -> None:
        super().__init__()
        self.in_feature: str | None = in_feature
        self.p6 = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1)
        self.p7 = nn.Conv2d(out_channels, out_channels, 3, stride=2, padding=1)
        for conv in (self.p6, self.p7):
            xavier_fill(conv)

    def forward(self, feature: Tensor) -> list[Tensor]:
        p6 = self.p6(feature)
        return [p6, self.p7(F.relu(p6))]


TopBlock = LastLevelMaxPool | LastLevelP6P7
"""What adds levels coarser than those of the bottom-up network."""


class FPN(nn.Module):
    """Levels ``p2``, ``p3``, ... of equal width; level ``pK`` has stride ``2**K``.

    Attributes:
        channels: level to its channels.
        strides: level to input pixels a cell.
        size_divisibility: both sides of the input must be multiples of it.
    """

    def __init__(self, bottom_up: Backbone, options: FPNOptions, top_block: TopBlock) -> None:
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
        if top_block.in_feature is not None:
            made = (*bottom_up.channels, *(f"p{level}" for level in self.levels))
            check_names("the pyramid's top block", (top_block.in_feature,), made)
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
            lateral = self.get_submodule(f"fpn_lateral{level}")
            if merged is None:
                merged = lateral(features[name])
            else:
                coarser = F.interpolate(merged, scale_factor=2.0, mode="nearest")
                merged = add_convolution(coarser, lateral, features[name])
                if self.average:
                    merged /= 2
            outputs.insert(0, self.get_submodule(f"fpn_output{level}")(merged))
        outputs += self.top_block(self._top_feature(features, outputs))
        return dict(zip(self.channels, outputs, strict=True))

    def _top_feature(self, features: dict[str, Tensor], outputs: list[Tensor]) -> Tensor:
        name = self.top_block.in_feature
        if name is None:
            return outputs[-1]
        if name in features:
            return features[name]
        return outputs[self.levels.index(int(name.removeprefix("p")))]
