"""Features of regions, each read from the pyramid level that fits its size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log2
from typing import Protocol

import torch
from torch import Tensor, nn

from benchsuite_kernels import ops
from benchsuite_plugins.models.boxes import box_area
from benchsuite_plugins.models.options import PoolerType

CANONICAL_SIZE, CANONICAL_LEVEL = 224, 4
"""A region of 224 x 224 pixels, the size of an ImageNet crop, is read from p4."""


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


AssignLevels = Callable[[Tensor, int, int], Tensor]
"""A rule as ``assign_levels`` is one."""


class ROIPooler(nn.Module):
    """RoIAlign over a pyramid.

    Args:
        in_features: names of the levels, finest first.
        strides: input pixels a cell of each level, by name; each twice the one before.
        resolution: bins a side, S.
        sampling_ratio: samples a bin and axis; 0: as many as there are feature pixels.
        assign: the rule which level each box is read from.
    """

    def __init__(
        self,
        in_features: tuple[str, ...],
        strides: Mapping[str, int],
        resolution: int,
        sampling_ratio: int,
        assign: AssignLevels = assign_levels,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.scales = [1 / strides[name] for name in in_features]
        self.finest_level = int(log2(strides[in_features[0]]))
        self.resolution = resolution
        self.sampling_ratio = sampling_ratio
        self.assign = assign

    def forward(self, features: Mapping[str, Tensor], boxes: Tensor, image_index: Tensor) -> Tensor:
        """Pool the features of each box.

        Args:
            features: (N, C, H, W) maps, by name.
            boxes: (R, 4), xyxy, input pixels.
            image_index: (R,) int64.

        Returns:
            (R, C, S, S).
        """
        levels = self.assign(boxes, self.finest_level, len(self.in_features))
        return ops.roi_align(
            [features[name] for name in self.in_features],
            self.placed(boxes, levels),
            image_index,
            levels,
            self.scales,
            self.resolution,
            self.sampling_ratio,
        )

    def placed(self, boxes: Tensor, levels: Tensor) -> Tensor:
        """Where the corrected RoIAlign shall read: (R, 4) boxes of the levels (R,) to (R, 4)."""
        return boxes


class UncorrectedROIPooler(ROIPooler):
    """RoIAlign as Mask R-CNN's paper had it, without the correction by half a cell; a region is at
    least one cell wide and high.

    Attributes:
        cells: (L,) float32, input pixels a cell of each level.
    """

    cells: Tensor

    def __init__(
        self,
        in_features: tuple[str, ...],
        strides: Mapping[str, int],
        resolution: int,
        sampling_ratio: int,
        assign: AssignLevels = assign_levels,
    ) -> None:
        super().__init__(in_features, strides, resolution, sampling_ratio, assign)
        # Made of numbers at each call it would have to be waited for.
        self.register_buffer("cells", torch.tensor(self.scales).reciprocal(), persistent=False)

    def placed(self, boxes: Tensor, levels: Tensor) -> Tensor:
        return moved_half_a_cell(boxes, self.cells[levels, None])


class PoolerOptions(Protocol):
    """What the options of each head say of its pooling."""

    @property
    def pooler_type(self) -> PoolerType: ...
    @property
    def pooler_resolution(self) -> int: ...
    @property
    def pooler_sampling_ratio(self) -> int: ...


POOLERS: Mapping[PoolerType, type[ROIPooler]] = {
    "ROIAlignV2": ROIPooler,
    "ROIAlign": UncorrectedROIPooler,
}


def make_pooler(
    in_features: tuple[str, ...],
    strides: Mapping[str, int],
    options: PoolerOptions,
    assign: AssignLevels = assign_levels,
) -> ROIPooler:
    """The pooler that a head's options ask for."""
    return POOLERS[options.pooler_type](
        in_features, strides, options.pooler_resolution, options.pooler_sampling_ratio, assign
    )


def moved_half_a_cell(boxes: Tensor, cell: Tensor) -> Tensor:
    """The boxes of which the corrected RoIAlign reads what the uncorrected one reads of ``boxes``.

    Args:
        boxes: (R, 4), xyxy, input pixels.
        cell: (R, 1), input pixels a cell of the map that each box is read from.

    Returns:
        (R, 4).
    """
    top_left = boxes[:, :2]
    bottom_right = boxes[:, 2:].maximum(top_left + cell)
    return torch.cat([top_left, bottom_right], dim=1) + 0.5 * cell
