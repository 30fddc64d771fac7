"""Anchors: boxes of fixed sizes and shapes at every cell of a feature map."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor, nn

from benchsuite.errors import UsageError
from benchsuite_kernels.ops import AnchorGrid
from benchsuite_plugins.models.options import AnchorOptions


class AnchorGenerator(nn.Module):
    """Anchors over the cells of each level.

    Args:
        options: sizes, shapes and offset.
        strides: input pixels a cell, one a level.

    Attributes:
        cells: (sum of A, 4) float32, the anchors of a cell around the origin, level by level.
        anchors_per_cell: A of each level.

    Raises:
        UsageError: sizes or aspect ratios are given neither once nor once a level.
    """

    cells: Tensor

    def __init__(self, options: AnchorOptions, strides: Sequence[int]) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.offset = options.offset
        sizes = _one_a_level("anchors.sizes", options.sizes, len(strides))
        ratios = _one_a_level("anchors.aspect_ratios", options.aspect_ratios, len(strides))
        cells = [self.cell_anchors(*level) for level in zip(sizes, ratios, strict=True)]
        self.anchors_per_cell = tuple(map(len, cells))
        # They follow from the options: checkpoints need not carry them.
        self.register_buffer("cells", torch.cat(cells), persistent=False)

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

    def cell_anchors(self, sizes: Sequence[float], aspect_ratios: Sequence[float]) -> Tensor:
        """The anchors of a cell: (A, 4), xyxy around the origin, sizes outside, shapes inside."""
        return cell_anchors(sizes, aspect_ratios)

    def forward(self, features: Sequence[Tensor]) -> AnchorGrid:
        """The anchors of maps, in input pixels, not clipped.

        Args:
            features: a (N, C, H, W) a level.
        """
        return AnchorGrid(
            self.cells,
            self.anchors_per_cell,
            tuple((feature.shape[-2], feature.shape[-1]) for feature in features),
            tuple((float(stride), float(stride)) for stride in self.strides),
            self.offset,
        )


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
