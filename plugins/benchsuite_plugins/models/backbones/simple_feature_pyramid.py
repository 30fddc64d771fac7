"""Simple feature pyramid (Li et al., "Exploring plain vision transformer backbones for object
detection", 2022, section 3): every level is made from the transformer's last map alone.
"""

from __future__ import annotations

from math import log2

from torch import Tensor, nn

from benchsuite.errors import UsageError
from benchsuite_plugins.models.backbones.options import SimpleFeaturePyramidOptions
from benchsuite_plugins.models.backbones.vit import ViT
from benchsuite_plugins.models.fpn import LastLevelMaxPool
from benchsuite_plugins.models.layers.conv import Conv2d
from benchsuite_plugins.models.layers.layer_norm import LayerNorm2d


class SimpleFeaturePyramid(nn.Module):
    """Levels ``p2``, ``p3``, ... of equal width; level ``pK`` has stride ``2**K``.

    Attributes:
        channels: level to its channels.
        strides: level to input pixels a cell.
        size_divisibility: both sides of the input must be multiples of it.

    Raises:
        UsageError: a scale factor is none of 4, 2, 1 and 0.5.
    """

    def __init__(
        self, net: ViT, options: SimpleFeaturePyramidOptions, top_block: LastLevelMaxPool
    ) -> None:
        super().__init__()
        dim, stride = net.channels["last_feat"], net.strides["last_feat"]
        self.levels = [int(log2(stride / scale)) for scale in options.scale_factors]
        for level, scale in zip(self.levels, options.scale_factors, strict=True):
            resized, resize = _resize(dim, scale)
            self.add_module(
                f"simfp_{level}",
                nn.Sequential(
                    *resize,
                    _normalised_conv(resized, options.out_channels, 1),
                    _normalised_conv(options.out_channels, options.out_channels, 3),
                ),
            )
        self.net = net
        self.top_block = top_block
        top = self.levels[-1]
        levels = [*self.levels, *range(top + 1, top + 1 + top_block.num_levels)]
        self.channels = {f"p{level}": options.out_channels for level in levels}
        self.strides = {f"p{level}": 2**level for level in levels}
        self.size_divisibility = 2**top

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to a (N, channels, H / stride, W / stride) a level, finest first."""
        last_feat = self.net(images)["last_feat"]
        outputs = [self.get_submodule(f"simfp_{level}")(last_feat) for level in self.levels]
        outputs += self.top_block(outputs[-1])
        return dict(zip(self.channels, outputs, strict=True))


def _resize(dim: int, scale: float) -> tuple[int, list[nn.Module]]:
    """Layers that change a map's size by ``scale``, and how many of ``dim`` channels they leave."""
    match scale:
        case 4.0:
            return dim // 4, [
                nn.ConvTranspose2d(dim, dim // 2, 2, stride=2),
                LayerNorm2d(dim // 2),
                nn.GELU(),
                nn.ConvTranspose2d(dim // 2, dim // 4, 2, stride=2),
            ]
        case 2.0:
            return dim // 2, [nn.ConvTranspose2d(dim, dim // 2, 2, stride=2)]
        case 1.0:
            return dim, []
        case 0.5:
            return dim, [nn.MaxPool2d(2, stride=2)]
        case _:
            raise UsageError(
                f"simple_feature_pyramid.scale_factors has {scale}; there are: 4, 2, 1, 0.5"
            )


def _normalised_conv(in_channels: int, out_channels: int, kernel_size: int) -> Conv2d:
    return Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, norm="LN")
