"""ResNet and ResNeXt (He et al., 2015; Xie et al., 2016) as detectors use them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite.errors import UsageError
from benchsuite_plugins.models.basic_block import BasicBlock
from benchsuite_plugins.models.bottleneck import BottleneckBlock
from benchsuite_plugins.models.deformable_bottleneck import DeformableBottleneckBlock
from benchsuite_plugins.models.features import check_names
from benchsuite_plugins.models.layers.conv import Conv2d
from benchsuite_plugins.models.layers.fill import msra_fill
from benchsuite_plugins.models.layers.frozen_batch_norm import freeze
from benchsuite_plugins.models.options import NormName, ResNetOptions

STAGES = ("res2", "res3", "res4", "res5")

BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
"""Depth to the number of blocks of each stage."""

OF_BASIC_BLOCKS = (18, 34)
"""The depths whose blocks are basic; others have bottlenecks."""


class BasicStem(nn.Module):
    """A 7x7 convolution of stride 2 and a max-pooling of stride 2: (N, 3, H, W) to stride 4."""

    def __init__(self, out_channels: int, norm: NormName) -> None:
        super().__init__()
        self.conv1 = Conv2d(
            3, out_channels, 7, stride=2, padding=3, bias=False, norm=norm, activation=F.relu_
        )
        msra_fill(self.conv1)

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(self.conv1(x), kernel_size=3, stride=2, padding=1)


def make_stage(stage: str, options: ResNetOptions) -> nn.Sequential:
    """One of ``STAGES``: its blocks in order, the first of which changes channels and stride.

    Raises:
        UsageError: options that the blocks of this depth do not have.
    """
    index = STAGES.index(stage)
    out_channels = options.res2_out_channels * 2**index
    in_channels = out_channels // 2 if index else options.stem_out_channels
    dilation = options.res5_dilation if stage == "res5" else 1
    first_stride = 1 if index == 0 or dilation > 1 else 2
    make_block = (
        _make_basic_block(options)
        if options.depth in OF_BASIC_BLOCKS
        else _make_bottleneck(options, index, dilation)
    )
    return nn.Sequential(
        *(
            make_block(
                out_channels if block else in_channels,
                out_channels,
                stride=1 if block else first_stride,
                norm=options.norm,
            )
            for block in range(BLOCKS[options.depth][index])
        )
    )


def _make_basic_block(options: ResNetOptions) -> Callable[..., nn.Module]:
    if options.num_groups > 1 or options.res5_dilation > 1 or any(options.deform_on_per_stage):
        raise UsageError(
            f"resnet.depth={options.depth} is a network of basic blocks, which have no groups, "
            "dilation or deformable convolutions; take depth 50, 101 or 152"
        )
    return BasicBlock


def _make_bottleneck(options: ResNetOptions, index: int, dilation: int) -> Callable[..., nn.Module]:
    block: Callable[..., nn.Module] = BottleneckBlock
    if options.deform_on_per_stage[index]:
        block = partial(
            DeformableBottleneckBlock,
            deform_modulated=options.deform_modulated,
            deform_num_groups=options.deform_num_groups,
        )
    return partial(
        block,
        bottleneck_channels=options.num_groups * options.width_per_group * 2**index,
        stride_in_1x1=options.stride_in_1x1,
        num_groups=options.num_groups,
        dilation=dilation,
    )


class ResNet(nn.Module):
    """Stem and stages, as far as an output needs them.

    Attributes:
        channels: output name to its channels.
        strides: output name to input pixels a cell.
    """

    def __init__(self, options: ResNetOptions) -> None:
        super().__init__()
        check_names("resnet.out_features", options.out_features, STAGES)
        self.out_features = options.out_features
        self.stem = BasicStem(options.stem_out_channels, options.norm)
        self.stages = STAGES[: max(map(STAGES.index, options.out_features)) + 1]
        for stage in self.stages:
            self.add_module(stage, make_stage(stage, options))
        for frozen in ("stem", *self.stages)[: options.freeze_at]:
            freeze(self.get_submodule(frozen))
        undilated = {stage: 4 * 2**index for index, stage in enumerate(STAGES)}
        self.channels = {
            stage: options.res2_out_channels * 2 ** STAGES.index(stage)
            for stage in options.out_features
        }
        self.strides = {
            stage: undilated[stage] // (options.res5_dilation if stage == "res5" else 1)
            for stage in options.out_features
        }

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to ``out_features``, each (N, channels, H / stride, W / stride)."""
        outputs = {}
        x = self.stem(x)
        for stage in self.stages:
            x = self.get_submodule(stage)(x)
            if stage in self.out_features:
                outputs[stage] = x
        return outputs
