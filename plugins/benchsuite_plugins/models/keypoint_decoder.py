"""From heat maps over boxes to keypoints, to the conventions of Detectron2.

A heat map is stretched over its box by bicubic interpolation to one value a pixel, at least one;
the keypoint is the middle of the best pixel. Its score is the peak's share of the softmax over the
map before the stretching, so that a peak between cells may score more than 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import torch
from torch import Tensor

CUBIC_COEFFICIENT = -0.75
"""Of the cubic convolution (Keys, 1981), as image resizing has it in torch and OpenCV."""

ELEMENTS_AT_ONCE = 1 << 24
"""Upper bound of the stretched values that are held at a time (unless one box has more)."""


def decode_keypoints(logits: Tensor, boxes: Tensor) -> Tensor:
    """The best position of every keypoint in every box.

    Args:
        logits: (R, K, M, M) floating, heat maps.
        boxes: (R, 4) float32, xyxy, pixels; finite.

    Returns:
        (R, K, 3) float32: x and y in pixels, on the continuous plane of the boxes, and the score.
    """
    keypoints = find_peaks(logits, boxes)
    total = (logits.float() - keypoints[..., 2, None, None]).exp().sum(dim=(2, 3))
    # A peak so far above its cells that their sum vanishes still has a finite score.
    keypoints[..., 2] = 1 / total.clamp(min=torch.finfo(total.dtype).tiny)
    return keypoints


def find_peaks(logits: Tensor, boxes: Tensor) -> Tensor:
    """The middle of the best pixel of every heat map, stretched over its box, and its value.

    Boxes of similar size are stretched together, to the size of the largest they could be.

    Args:
        logits: (R, K, M, M) floating, heat maps.
        boxes: (R, 4) float32, xyxy, pixels; finite.

    Returns:
        (R, K, 3) float32: x and y in pixels, on the continuous plane of the boxes, and the logit.
    """
    logits = logits.float()
    found = logits.new_zeros((*logits.shape[:2], 3))
    if not len(boxes) or not logits.shape[1]:
        return found
    extents = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)
    pixels = extents.ceil()
    # Half precision would move peaks: nothing here is left to autocast.
    with torch.autocast(logits.device.type, enabled=False):
        for rows, width, height in _similar(pixels, logits.shape[1]):
            x, y, peak = _peaks(logits[rows], pixels[rows], width, height)
            position = (torch.stack([x, y], dim=-1) + 0.5) * (extents / pixels)[rows, None]
            found[rows, :, :2] = boxes[rows, None, :2] + position
            found[rows, :, 2] = peak
    return found


def _similar(pixels: Tensor, keypoint_count: int) -> Iterator[tuple[Tensor, int, int]]:
    """Row numbers of boxes to stretch together, and the width and height to stretch them to.

    Sides go in steps of half a power of two, so that no box is stretched to more than twice its
    pixels.

    Args:
        pixels: (R, 2), width and height.
    """
    step = (2 * pixels.double().log2()).ceil().long()
    kinds, kind = torch.unique(step, dim=0, return_inverse=True)
    order = kind.argsort(stable=True)
    groups = order.split(kind.bincount(minlength=len(kinds)).tolist())
    for rows, (wide, high) in zip(groups, kinds.tolist(), strict=True):
        width, height = (ceil(2 ** (half / 2)) for half in (wide, high))
        at_once = max(1, ELEMENTS_AT_ONCE // (keypoint_count * width * height))
        for part in rows.split(at_once):
            yield part, width, height


def _peaks(
    logits: Tensor, pixels: Tensor, width: int, height: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The best pixel of each stretched map: its column, its row and its value, each (R, K).

    Args:
        logits: (R, K, M, M).
        pixels: (R, 2), width and height of each box, at most ``width`` and ``height``.
    """
    count, keypoints, side = logits.shape[:3]
    across = _bicubic_weights(pixels[:, 0], width, side)
    down = _bicubic_weights(pixels[:, 1], height, side)
    rows = logits.transpose(1, 2).reshape(count, side * keypoints, side)
    rows = (rows @ across.transpose(1, 2)).view(count, side, keypoints * width)
    stretched = (down @ rows).view(count, height, keypoints, width)
    # Behind a box's own pixels the last one is repeated; the first of equal values is found.
    best_in_row, column = stretched.max(dim=3)
    peak, row = best_in_row.max(dim=1)
    x = column.gather(1, row[:, None])[:, 0]
    last = (pixels - 1).long()
    return x.minimum(last[:, :1]), row.minimum(last[:, 1:]), peak


def _bicubic_weights(pixels: Tensor, length: int, side: int) -> Tensor:
    """What each cell of a row of ``side`` contributes to each of the pixels it is stretched to.

    Cells beyond the ends are like the last one. Pixels behind a row's own repeat its last one.

    Args:
        pixels: (R,), pixels a row, at most ``length``.

    Returns:
        (R, length, side) float32, each (side,) adding up to 1.
    """
    count = pixels.double()[:, None]
    index = torch.arange(length, device=pixels.device).double().minimum(count - 1)
    centre = (index + 0.5) * side / count - 0.5
    tap = centre.floor()[..., None] + torch.arange(-1, 3, device=pixels.device)
    weight = _cubic((centre[..., None] - tap).abs())
    cell = tap.long().clamp(0, side - 1)
    weights = weight.new_zeros((*centre.shape, side))
    return weights.scatter_add_(2, cell, weight).float()


def _cubic(distance: Tensor) -> Tensor:
    """The cubic convolution kernel at distances of 0 to 2 cells."""
    a, d = CUBIC_COEFFICIENT, distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return torch.where(d <= 1, near, far)
