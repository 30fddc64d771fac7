"""A bottleneck block whose 3x3 convolution reads where it chooses (Dai et al., "Deformable
convolutional networks", 2017), and how much (Zhu et al., "Deformable ConvNets v2", 2019)."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from benchsuite.errors import UsageError
from benchsuite_plugins.models.bottleneck import BottleneckBlock
from benchsuite_plugins.models.layers.conv import Conv2d
from benchsuite_plugins.models.layers.deform_conv import DeformConv2d


class DeformableBottleneckBlock(BottleneckBlock):
    """``conv2_offset`` says where ``conv2`` reads, and (modulated) how much; at first it moves
    nothing, and halves everything.

    Args:
        deform_modulated: whether it says how much, too.
        deform_num_groups: into how many groups the channels that ``conv2`` sees fall, each with
            offsets of its own.
        rest: as ``BottleneckBlock`` takes them.

    Raises:
        UsageError: the channels cannot be split so.
    """

    middle_convolution: ClassVar[type[Conv2d]] = DeformConv2d

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bottleneck_channels: int,
        *,
        deform_modulated: bool = False,
        deform_num_groups: int = 1,
        **rest: Any,
    ) -> None:
        if deform_num_groups < 1 or bottleneck_channels % deform_num_groups:
            raise UsageError(
                f"resnet.deform_num_groups is {deform_num_groups}: it must divide the "
                f"{bottleneck_channels} channels of every deformable convolution"
            )
        super().__init__(in_channels, out_channels, bottleneck_channels, **rest)
        self.deform_modulated = deform_modulated
        height, width = self.conv2.kernel_size
        self.conv2_offset = nn.Conv2d(
            bottleneck_channels,
            deform_num_groups * (3 if deform_modulated else 2) * height * width,
            self.conv2.kernel_size,
            self.conv2.stride,
            self.conv2.padding,
            self.conv2.dilation,
        )
        nn.init.zeros_(self.conv2_offset.weight)
        nn.init.zeros_(self.conv2_offset.bias)

    def middle(self, x: Tensor) -> Tensor:
        """The 3x3 convolution."""
        offset, mask = self.conv2_offset(x), None
        if self.deform_modulated:
            # A third of the channels each, in the published layout: two of offsets, one of masks.
            points = offset.shape[1] // 3
            offset, mask = offset.split([2 * points, points], dim=1)
            mask = mask.float().sigmoid()
        out: Tensor = self.conv2(x, offset, mask)
        return out
