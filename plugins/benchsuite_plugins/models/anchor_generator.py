"""Anchors: boxes of fixed sizes and shapes at every cell of a feature map."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor, nn

from benchsuite.errors import UsageError
from benchsuite_plugins.models.options import AnchorOptions


class AnchorGenerator(nn.Module):
    """Anchors over the cells of each level.

    Args:
        options: sizes, shapes and offset.
        strides: input pixels a cell, one a level.

    Raises:
        UsageError: sizes or aspect ratios are given neither once nor once a level.
    """

    def __init__(self, options: AnchorOptions, strides: Sequence[int]) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.offset = options.offset
        sizes = _one_a_level("anchors.sizes", options.sizes, len(strides))
        ratios = _one_a_level("anchors.aspect_ratios", options.aspect_ratios, len(strides))
        for level, (level_sizes, level_ratios) in enumerate(zip(sizes, ratios, strict=True)):
            # They follow from the options: checkpoints need not carry them.
            self.register_buffer(
                f"cell_anchors_{level}", cell_anchors(level_sizes, level_ratios), persistent=False
            )

    @property
    def anchors_per_cell(self) -> tuple[int, ...]:
        """A of each level."""
        return tuple(len(self._cell_anchors(level)) for level in range(len(self.strides)))

    @property
    def shared_anchors_per_cell(self) -> int:
        """A, for a head whose weights all levels share.

        Raises:
            UsageError: the levels differ in it.
        """
        counts = self.anchors_per_cell
        if len(set(counts)) > 1:
            raise UsageError(
                f"anchors.sizes and anchors.aspect_ratios give the levels {counts} anchors a cell; "
                "the head is shared, so every level needs the same number"
            )
        return counts[0]

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Anchors in input pixels, not clipped.

        Args:
            features: a (N, C, H, W) a level.

        Returns:
            (H * W * A, 4) float32 a level, xyxy: row by row, in a row cell by cell, in a cell
            sizes outside and shapes inside.
        """
        anchors = []
        for level, (feature, stride) in enumerate(zip(features, self.strides, strict=True)):
            cell = self._cell_anchors(level)
            height, width = feature.shape[-2:]
            x = (torch.arange(width, device=cell.device) + self.offset) * float(stride)
            y = (torch.arange(height, device=cell.device) + self.offset) * float(stride)
            y, x = torch.meshgrid(y, x, indexing="ij")
            corners = torch.stack([x, y, x, y], dim=-1)
            anchors.append((corners[:, :, None] + cell).reshape(-1, 4))
        return anchors

    def _cell_anchors(self, level: int) -> Tensor:
        return self.get_buffer(f"cell_anchors_{level}")


def cell_anchors(sizes: Sequence[float], aspect_ratios: Sequence[float]) -> Tensor:
    """(len(sizes) * len(aspect_ratios), 4) float32, xyxy, centred on the origin, not rounded.

    An anchor of size ``s`` and aspect ratio ``r`` has the area ``s * s`` and ``r`` times as much
    height as width.
    """
    corners = []
    for size in sizes:
        for ratio in aspect_ratios:
            width = sqrt(size * size / ratio)
            height = ratio * width
            corners.append([-width / 2, -height / 2, width / 2, height / 2])
    return torch.tensor(corners)


def _one_a_level(
    option: str, values: Sequence[Sequence[float]], levels: int
) -> Sequence[Sequence[float]]:
    if len(values) not in (1, levels) or not all(values):
        raise UsageError(
            f"{option} has {len(values)} lists, {sum(not value for value in values)} of them "
            f"empty; give one list, or one for each of the {levels} levels"
        )
    return list(values) * levels if len(values) == 1 else values
