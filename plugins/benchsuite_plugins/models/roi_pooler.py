"""Features of regions, each read from the pyramid level that fits its size."""

from __future__ import annotations

from collections.abc import Mapping
from math import log2

import torch
from benchsuite_kernels import ops
from torch import Tensor, nn

from benchsuite_plugins.models.boxes import box_area

CANONICAL_SIZE, CANONICAL_LEVEL = 224, 4
"""A region of 224 x 224 pixels, the size of an ImageNet crop, is read from p4."""


class ROIPooler(nn.Module):
    """RoIAlign over a pyramid.

    Args:
        in_features: names of the levels, finest first.
        strides: input pixels a cell of each level, by name; each twice the one before.
        resolution: bins a side, S.
        sampling_ratio: samples a bin and axis; 0: as many as there are feature pixels.
    """

    def __init__(
        self,
        in_features: tuple[str, ...],
        strides: Mapping[str, int],
        resolution: int,
        sampling_ratio: int,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.scales = [1 / strides[name] for name in in_features]
        self.finest_level = int(log2(strides[in_features[0]]))
        self.resolution = resolution
        self.sampling_ratio = sampling_ratio

    def forward(self, features: Mapping[str, Tensor], boxes: Tensor, image_index: Tensor) -> Tensor:
        """Pool the features of each box.

        Args:
            features: (N, C, H, W) maps, by name.
            boxes: (R, 4), xyxy, input pixels.
            image_index: (R,) int64.

        Returns:
            (R, C, S, S).
        """
        return ops.roi_align(
            [features[name] for name in self.in_features],
            boxes,
            image_index,
            assign_levels(boxes, self.finest_level, len(self.in_features)),
            self.scales,
            self.resolution,
            self.sampling_ratio,
        )


def assign_levels(boxes: Tensor, finest_level: int, level_count: int) -> Tensor:
    """Which level each box is read from (Lin et al., FPN, 2017, equation 1).

    Args:
        boxes: (R, 4), xyxy, input pixels.
        finest_level: K of the first level, ``pK``.

    Returns:
        (R,) int64, 0 for the first level.
    """
    size = box_area(boxes).sqrt()
    level = torch.floor(CANONICAL_LEVEL + torch.log2(size / CANONICAL_SIZE + 1e-8))
    return (level - finest_level).clamp(0, level_count - 1).long()
