"""RegNet X and Y (Radosavovic et al., "Designing network design spaces", 2020)."""

from __future__ import annotations

from math import log, sqrt

from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite.errors import UsageError
from benchsuite_plugins.models.backbones.options import RegNetOptions
from benchsuite_plugins.models.layers.conv import NORMS
from benchsuite_plugins.models.layers.recomputable_block import RecomputableBlock
from benchsuite_plugins.models.options import NormName

STRIDE = 2
"""Of the stem, and of each stage."""

WIDTH_STEP = 8
"""Widths of blocks are multiples of it."""


class Stem(nn.Module):
    """A 3x3 convolution, without a pooling: (N, 3, H, W) to stride 2."""

    def __init__(self, channels: int, norm: NormName) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, stride=STRIDE, padding=1, bias=False)
        self.bn = NORMS[norm](channels)

    def forward(self, images: Tensor) -> Tensor:
        return F.relu_(self.bn(self.conv(images)))


class SqueezeExcitation(nn.Module):
    """Scales each channel by what the mean over the map says: (N, C, H, W) in and out."""

    def __init__(self, channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.f_ex = nn.Sequential(
            nn.Conv2d(channels, hidden_channels, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden_channels, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        scale: Tensor = self.f_ex(x.mean((2, 3), keepdim=True))
        return x * scale


class Transform(nn.Module):
    """1x1, grouped 3x3, squeeze-and-excitation (where wanted) and 1x1."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int,
        group_width: int,
        se_ratio: float,
        norm: NormName,
    ) -> None:
        super().__init__()
        self.a = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.a_bn = NORMS[norm](out_channels)
        self.b = nn.Conv2d(
            out_channels,
            out_channels,
            3,
            stride=stride,
            padding=1,
            groups=out_channels // group_width,
            bias=False,
        )
        self.b_bn = NORMS[norm](out_channels)
        hidden_channels = round(in_channels * se_ratio)
        self.se = SqueezeExcitation(out_channels, hidden_channels) if hidden_channels else None
        self.c = nn.Conv2d(out_channels, out_channels, 1, bias=False)
        self.c_bn = NORMS[norm](out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu_(self.a_bn(self.a(x)))
        x = F.relu_(self.b_bn(self.b(x)))
        if self.se is not None:
            x = self.se(x)
        out: Tensor = self.c_bn(self.c(x))
        return out


class Block(RecomputableBlock):
    """The transform and the identity, or a 1x1 convolution where shapes differ."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int,
        group_width: int,
        se_ratio: float,
        norm: NormName,
    ) -> None:
        super().__init__()
        changes = in_channels != out_channels or stride != 1
        self.proj = (
            nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False) if changes else None
        )
        self.bn = NORMS[norm](out_channels) if changes else None
        self.f = Transform(
            in_channels,
            out_channels,
            stride=stride,
            group_width=group_width,
            se_ratio=se_ratio,
            norm=norm,
        )

    def compute(self, x: Tensor) -> Tensor:
        skip = x if self.proj is None or self.bn is None else self.bn(self.proj(x))
        return F.relu_(skip + self.f(x))


class RegNet(nn.Module):
    """Stem and stages; the outputs are ``s1``, ``s2``, ..., of strides 4, 8, ...

    Attributes:
        channels: output name to its channels.
        strides: output name to input pixels a cell.

    Raises:
        UsageError: no normalisation is named, though the convolutions have no bias.
    """

    def __init__(self, options: RegNetOptions) -> None:
        super().__init__()
        if not options.norm:
            raise UsageError(f"regnet.norm is empty; give one of {', '.join(NORMS)}")
        stages = stage_widths(options)
        norms: list[NormName] = [
            "FrozenBN" if index < options.freeze_at else options.norm
            for index in range(len(stages) + 1)
        ]
        self.channels = {f"s{index}": width for index, (width, _) in enumerate(stages, start=1)}
        self.strides = {f"s{index}": STRIDE ** (index + 1) for index in range(1, len(stages) + 1)}
        self.stem = Stem(options.stem_width, norms[0])
        in_channels = options.stem_width
        for (name, width), (_, depth), norm in zip(
            self.channels.items(), stages, norms[1:], strict=True
        ):
            stage = nn.Sequential()
            for index in range(depth):
                stage.add_module(
                    f"b{index + 1}",
                    Block(
                        width if index else in_channels,
                        width,
                        stride=1 if index else STRIDE,
                        group_width=min(options.group_width, width),
                        se_ratio=options.se_ratio,
                        norm=norm,
                    ),
                )
            self.add_module(name, stage)
            in_channels = width
        _fill(self)
        for frozen in [self.stem, *map(self.get_submodule, self.channels)][: options.freeze_at]:
            frozen.requires_grad_(False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to (N, channels, H / stride, W / stride) an output, rounded up."""
        outputs = {}
        x = self.stem(images)
        for name in self.channels:
            x = self.get_submodule(name)(x)
            outputs[name] = x
        return outputs


def stage_widths(options: RegNetOptions) -> list[tuple[int, int]]:
    """Width and number of blocks of each stage (section 3.3, equations 2 to 4).

    Block ``j`` would have the width ``w_0 + w_a * j``; it gets the nearest (by ratio) power of
    ``w_m`` times ``w_0``, rounded to a multiple of 8. Blocks of one width are a stage, whose width
    is then rounded to a multiple of the group's.
    """
    depths: dict[int, int] = {}
    for block in range(options.depth):
        power = round(log((options.w_0 + options.w_a * block) / options.w_0) / log(options.w_m))
        width = round(options.w_0 * options.w_m**power / WIDTH_STEP) * WIDTH_STEP
        depths[width] = depths.get(width, 0) + 1
    return [(_whole_groups(width, options.group_width), depths[width]) for width in sorted(depths)]


def _whole_groups(width: int, group_width: int) -> int:
    group_width = min(group_width, width)
    return max(group_width, round(width / group_width) * group_width)


def _fill(module: nn.Module) -> None:
    """Convolutions' weights from a normal distribution of variance ``2 / (outputs * k * k)``,
    which is ``2 / fan_out`` of a convolution without groups."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            height, width = layer.kernel_size
            nn.init.normal_(layer.weight, std=sqrt(2 / (height * width * layer.out_channels)))
