"""Anchors to the conventions of torchvision: whole pixels, and strides that follow from the maps.

In a cell, shapes are outside and sizes inside (in ``anchor_generator`` it is the other way round).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from benchsuite_kernels.ops import AnchorGrid
from benchsuite_plugins.models.anchor_generator import AnchorGenerator


class TorchvisionAnchorGenerator(AnchorGenerator):
    """Anchors over the cells of each level.

    A level's stride is the padded image's side over the map's, cut off to a whole number: where an
    odd map was halved, that is less than twice the stride of the level before, and the two axes may
    differ.

    Args:
        strides: nominal input pixels a cell, one a level; the first must divide the padded image.

    Raises:
        UsageError: sizes or aspect ratios are given neither once nor once a level.
    """

    def cell_anchors(self, sizes: Sequence[float], aspect_ratios: Sequence[float]) -> Tensor:
        """The anchors of a cell: (A, 4), xyxy around the origin, shapes outside, sizes inside."""
        cells = super().cell_anchors(sizes, aspect_ratios)
        return cells.view(-1, len(aspect_ratios), 4).transpose(0, 1).reshape(-1, 4).round()

    def forward(self, features: Sequence[Tensor]) -> AnchorGrid:
        """The anchors of maps, in input pixels, not clipped.

        Args:
            features: a (N, C, H, W) a level.
        """
        high, wide = (side * self.strides[0] for side in features[0].shape[-2:])
        shapes = tuple((feature.shape[-2], feature.shape[-1]) for feature in features)
        strides = tuple((high // rows, wide // columns) for rows, columns in shapes)
        return AnchorGrid(self.cells, self.anchors_per_cell, shapes, strides, 0.0)
