"""Anchors to the conventions of torchvision: whole pixels, and strides that follow from the maps.

In a cell, shapes are outside and sizes inside (in ``anchor_generator`` it is the other way round).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchsuite_plugins.models.anchor_generator import AnchorGenerator
from benchsuite_plugins.models.options import AnchorOptions


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

    def __init__(self, options: AnchorOptions, strides: Sequence[int]) -> None:
        super().__init__(options, strides)
        for level in range(len(strides)):
            ratios = options.aspect_ratios[level if len(options.aspect_ratios) > 1 else 0]
            cell = self._cell_anchors(level).view(-1, len(ratios), 4).transpose(0, 1)
            self.register_buffer(
                f"cell_anchors_{level}", cell.reshape(-1, 4).round(), persistent=False
            )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Anchors in input pixels, not clipped.

        Args:
            features: a (N, C, H, W) a level.

        Returns:
            (H * W * A, 4) float32 a level, xyxy: row by row, in a row cell by cell, in a cell
            shapes outside and sizes inside.
        """
        padded = [side * self.strides[0] for side in features[0].shape[-2:]]
        anchors = []
        for level, feature in enumerate(features):
            cell = self._cell_anchors(level)
            y, x = (
                (torch.arange(side, device=cell.device) * (pixels // side)).float()
                for side, pixels in zip(feature.shape[-2:], padded, strict=True)
            )
            y, x = torch.meshgrid(y, x, indexing="ij")
            corners = torch.stack([x, y, x, y], dim=-1)
            anchors.append((corners[:, :, None] + cell).reshape(-1, 4))
        return anchors
