"""Where RoIAlign of rotated boxes reads a feature map, in plain torch."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, cos, isfinite, radians, sin
from typing import Any

import torch
from torch import Tensor


def samples_of(
    box: Tensor, scale: float, size: Sequence[int], bins: int, ratio: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """The features round each sample of each bin of a rotated box, and their weights.

    Args:
        box: (5,): cx, cy, w, h in input pixels, angle in degrees, counter-clockwise.
        scale: the map's size over the input's.
        size: H and W of the map.
        bins: a side, S.
        ratio: samples a bin and axis; 0: as many as feature pixels, rounded up.
        dtype: of the weights.

    Returns:
        Places in a flattened map, and what each weighs in its bin's mean: (4, S * S, samples) both;
        no samples for a box that reads nothing.
    """
    cx, cy, width, height, angle = (float(value) for value in box)
    sound = all(map(isfinite, (cx, cy, width, height, angle))) and width >= 0 and height >= 0
    sound = sound and min(size) > 0
    rows = 0 if not sound else ratio or ceil(height * scale / bins)
    columns = 0 if not sound else ratio or ceil(width * scale / bins)
    if rows * columns == 0:
        nothing = torch.zeros(4, bins * bins, 0, device=box.device)
        return nothing.long(), nothing.to(dtype)
    down = _along(height * scale, bins, rows, dtype, box.device)[:, None, :, None]
    across = _along(width * scale, bins, columns, dtype, box.device)[None, :, None, :]
    cosine, sine = cos(radians(angle)), sin(radians(angle))
    y = (down * cosine - across * sine + (cy * scale - 0.5)).reshape(bins * bins, -1)
    x = (down * sine + across * cosine + (cx * scale - 0.5)).reshape(bins * bins, -1)
    inside = (y >= -1) & (y <= size[0]) & (x >= -1) & (x <= size[1])
    top, toward_bottom = _between(y, size[0])
    left, toward_right = _between(x, size[1])
    bottom, right = (top + 1).clamp(max=size[0] - 1), (left + 1).clamp(max=size[1] - 1)
    index = torch.stack([v * size[1] + h for v in (top, bottom) for h in (left, right)])
    weights = torch.stack(
        [
            v * h
            for v in (1 - toward_bottom, toward_bottom)
            for h in (1 - toward_right, toward_right)
        ]
    )
    return index, weights * inside / (rows * columns)


def _along(extent: float, bins: int, samples: int, dtype: torch.dtype, device: Any) -> Tensor:
    """(bins, samples): where samples lie along a side, from its middle."""
    places = (torch.arange(bins * samples, dtype=dtype, device=device) + 0.5) / (bins * samples)
    return ((places - 0.5) * extent).view(bins, samples)


def _between(at: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The feature below each place, and the weight of the one above."""
    at = at.clamp(0, size - 1)
    low = at.floor()
    return low.long(), at - low
