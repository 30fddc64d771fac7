"""The keypoint branch of Mask R-CNN (He et al., 2017, section 5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite_plugins.models.layers.conv import Conv2d
from benchsuite_plugins.models.layers.fill import msra_fill
from benchsuite_plugins.models.options import PoolerType
from benchsuite_plugins.models.training_options import KeypointHeadTrainingOptions

HEAT_MAP_SCALE = 4
"""Cells of the heat map to one of the pooled region, along each axis."""


@dataclass(frozen=True, slots=True)
class KeypointHeadOptions:
    """The keypoint head: 3x3 convolutions, then two upsamplings by two.

    Attributes:
        num_keypoints: channels of the heat map; ``None``: as many as the dataset's layout has.
        conv_dims: channels of the convolutions, one each.
        pooler_resolution: side of the pooled region; the heat map's is four times that.
        pooler_sampling_ratio: samples a bin and axis; 0: as many as there are feature pixels.
    """

    num_keypoints: int | None = None
    conv_dims: tuple[int, ...] = (512,) * 8
    pooler_type: PoolerType = "ROIAlignV2"
    pooler_resolution: int = 14
    pooler_sampling_ratio: int = 0
    training: KeypointHeadTrainingOptions = field(default_factory=KeypointHeadTrainingOptions)


class KeypointHead(nn.Module):
    """Convolutions ``conv_fcn1``, ..., a deconvolution to a map a keypoint, and a bilinear x2."""

    def __init__(self, in_channels: int, num_keypoints: int, options: KeypointHeadOptions) -> None:
        super().__init__()
        self.convs = [f"conv_fcn{index}" for index in range(1, len(options.conv_dims) + 1)]
        channels = in_channels
        for name, conv_dim in zip(self.convs, options.conv_dims, strict=True):
            conv = Conv2d(channels, conv_dim, 3, padding=1, activation=F.relu_)
            msra_fill(conv)
            self.add_module(name, conv)
            channels = conv_dim
        self.score_lowres = nn.ConvTranspose2d(channels, num_keypoints, 4, stride=2, padding=1)
        msra_fill(self.score_lowres)

    def forward(self, x: Tensor) -> Tensor:
        """(R, C, S, S) to the logits of heat maps over each region, (R, K, 4 * S, 4 * S)."""
        for name in self.convs:
            x = self.get_submodule(name)(x)
        logits: Tensor = self.score_lowres(x)
        return F.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False)
