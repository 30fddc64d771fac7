"""Features of regions to the conventions of torchvision's detectors: RoIAlign as Mask R-CNN's paper
had it, without the correction by half a cell."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from benchsuite_kernels import ops
from torch import Tensor

from benchsuite_plugins.models.boxes import box_area
from benchsuite_plugins.models.roi_pooler import (
    CANONICAL_LEVEL,
    CANONICAL_SIZE,
    ROIPooler,
    moved_half_a_cell,
)


class TorchvisionROIPooler(ROIPooler):
    """RoIAlign over a pyramid; a region is at least one cell wide and high.

    Levels have their nominal strides. torchvision guesses them from the maps and the first batch's
    images before padding, and keeps the guess: the same unless the padding makes those images more
    than 1.4 times as high.
    """

    def forward(self, features: Mapping[str, Tensor], boxes: Tensor, image_index: Tensor) -> Tensor:
        """Pool the features of each box.

        Args:
            features: (N, C, H, W) maps, by name.
            boxes: (R, 4), xyxy, input pixels.
            image_index: (R,) int64.

        Returns:
            (R, C, S, S).
        """
        levels = assign_levels(boxes, self.finest_level, len(self.in_features))
        cell = torch.tensor(self.scales, device=boxes.device).reciprocal()[levels, None]
        return ops.roi_align(
            [features[name] for name in self.in_features],
            moved_half_a_cell(boxes, cell),
            image_index,
            levels,
            self.scales,
            self.resolution,
            self.sampling_ratio,
        )


def assign_levels(boxes: Tensor, finest_level: int, level_count: int) -> Tensor:
    """Which level each box is read from (Lin et al., FPN, 2017, equation 1); a box a millionth of a
    level below the border belongs above it.

    Args:
        boxes: (R, 4), xyxy, input pixels.
        finest_level: K of the first level, ``pK``.

    Returns:
        (R,) int64, 0 for the first level.
    """
    size = box_area(boxes).sqrt()
    level = torch.floor(CANONICAL_LEVEL + torch.log2(size / CANONICAL_SIZE) + 1e-6)
    return (level - finest_level).clamp(0, level_count - 1).long()
