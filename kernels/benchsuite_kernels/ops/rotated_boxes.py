"""Rotated boxes as the kernels take them.

A rotated box is ``(centre x, centre y, width, height, angle)``: pixels and degrees; a positive
angle turns it counter-clockwise as it is seen, y pointing down. (Detectron2's convention.)
"""

from __future__ import annotations

import torch
from torch import Tensor


def prepared(boxes: Tensor) -> Tensor:
    """What overlaps are computed from, once a box and in float64.

    Args:
        boxes: (..., 5) floating. One with a number that is not finite gets no extent, so that it
            overlaps nothing.

    Returns:
        (..., 8) float64: centre, cosine and sine, half the sides, half the sides of the upright box
        round it.
    """
    x, y, width, height, angle = boxes.double().unbind(-1)
    cosine, sine = _cosine_and_sine(angle)
    half_width, half_height = width / 2, height / 2
    across, along = cosine.abs(), sine.abs()
    columns = torch.stack(
        [
            x,
            y,
            cosine,
            sine,
            half_width,
            half_height,
            across * half_width + along * half_height,
            along * half_width + across * half_height,
        ],
        dim=-1,
    )
    return columns.where(boxes.isfinite().all(dim=-1, keepdim=True), 0)


def _cosine_and_sine(degrees: Tensor) -> tuple[Tensor, Tensor]:
    """Of angles in degrees; exact at multiples of 90."""
    quarters = torch.round(degrees / 90)
    rest = torch.deg2rad(degrees - 90 * quarters)
    cosine, sine = rest.cos(), rest.sin()
    turns = quarters.remainder(4)
    swapped = turns.remainder(2) == 1
    sign_of_cosine = torch.where((turns == 1) | (turns == 2), -1.0, 1.0)
    sign_of_sine = torch.where(turns >= 2, -1.0, 1.0)
    return (
        sign_of_cosine * torch.where(swapped, sine, cosine),
        sign_of_sine * torch.where(swapped, cosine, sine),
    )
