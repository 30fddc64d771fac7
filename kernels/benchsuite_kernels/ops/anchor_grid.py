"""Anchors that follow from a map's shape: the same few boxes at every cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class AnchorGrid:
    """The anchors of several feature maps, by what they are made from.

    The anchor ``a`` of a cell is ``cells[a]`` moved by ``(x + offset) * stride`` along x, and
    likewise along y, in float32. The order is row by row, in a row cell by cell, in a cell as in
    ``cells``.

    Attributes:
        cells: (sum of A, 4) float32, xyxy around the origin, those of the first level first.
        counts: A of each level.
        shapes: height and width of each level, in cells.
        strides: input pixels a cell of each level, along y and along x.
        offset: of the first anchor's centre from the image's corner, in cells.
    """

    cells: Tensor
    counts: tuple[int, ...]
    shapes: tuple[tuple[int, int], ...]
    strides: tuple[tuple[float, float], ...]
    offset: float

    def levels(self) -> list[Tensor]:
        """(H * W * A, 4) float32 a level, xyxy, input pixels, not clipped."""
        return anchor_boxes(self.cells, self.counts, self.shapes, self.strides, self.offset)


def anchor_boxes(
    cells: Tensor,
    counts: Sequence[int],
    shapes: Sequence[tuple[int, int]],
    strides: Sequence[tuple[float, float]],
    offset: float,
) -> list[Tensor]:
    """``AnchorGrid.levels`` of its parts."""
    anchors = []
    for own, (height, width), (down, across) in zip(
        cells.split(list(counts)), shapes, strides, strict=True
    ):
        x = (torch.arange(width, device=cells.device) + offset) * across
        y = (torch.arange(height, device=cells.device) + offset) * down
        y, x = torch.meshgrid(y, x, indexing="ij")
        corners = torch.stack([x, y, x, y], dim=-1).to(cells.dtype)
        anchors.append((corners[:, :, None] + own).reshape(-1, 4))
    return anchors
