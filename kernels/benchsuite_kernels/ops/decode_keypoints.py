"""From heat maps over boxes to keypoints, to the conventions of Detectron2.

A heat map is stretched over its box by bicubic interpolation to one value a pixel, at least one;
the keypoint is the middle of the best pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

import torch
from torch import Tensor

from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.cuda.source import MACROS
from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.tensors import stored

CUBIC_COEFFICIENT = -0.75
"""Of the cubic convolution (Keys, 1981), as image resizing has it in torch and OpenCV."""

LONGEST_SIDE = 1 << 16
"""Pixels of a stretched map's longest side."""

ELEMENTS_AT_ONCE = 1 << 24
"""Upper bound of the stretched values that the reference holds (unless one box has more)."""


class KeypointPeaks(NamedTuple):
    """The best pixel of every heat map.

    Attributes:
        positions: (R, K, 2), x and y of its middle in pixels, on the continuous plane of the boxes.
        logits: (R, K), its value.
        shares: (R, K), its share of the softmax over the cells of the heat map before the
            stretching, so that a peak between cells may have more than 1.
    """

    positions: Tensor
    logits: Tensor
    shares: Tensor


def decode_keypoints(heat_maps: Tensor, boxes: Tensor) -> KeypointPeaks:
    """The best position of every keypoint in every box.

    The first of equal pixels is taken, row by row; NaN is better than all numbers. A box that is
    not finite or has a side of more than ``LONGEST_SIDE`` pixels gives NaN.

    Args:
        heat_maps: (R, K, M, M) floating, logits; M at least 1.
        boxes: (R, 4) float32, xyxy, pixels.

    Returns:
        float32; float64 where the heat maps are.

    Raises:
        ValueError: shapes that do not fit together.
    """
    shape = heat_maps.shape
    if len(shape) != 4 or shape[2] != shape[3] or not shape[2] or boxes.shape != (shape[0], 4):
        raise ValueError(
            f"heat maps {tuple(shape)} and boxes {tuple(boxes.shape)} are not (R, K, M, M) and "
            "(R, 4)"
        )
    return KeypointPeaks(*_operator(heat_maps, boxes))


def reference(heat_maps: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``decode_keypoints`` in plain torch.

    Boxes of similar size are stretched together, to the size of the largest they could be.
    """
    dtype = torch.float64 if heat_maps.dtype is torch.float64 else torch.float32
    maps, boxes = heat_maps.to(dtype), boxes.to(dtype)
    positions = maps.new_full((*maps.shape[:2], 2), torch.nan)
    logits = maps.new_full(maps.shape[:2], torch.nan)
    extents = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)
    pixels = extents.ceil()
    placed = (boxes.isfinite().all(dim=1) & (pixels <= LONGEST_SIDE).all(dim=1)).nonzero()[:, 0]
    for group, width, height in _similar(pixels[placed], maps.shape[1]):
        rows = placed[group]
        x, y, logits[rows] = _peaks(maps[rows], pixels[rows], width, height)
        position = (torch.stack([x, y], dim=-1) + 0.5) * (extents / pixels)[rows, None]
        positions[rows] = boxes[rows, None, :2] + position
    total = (maps - logits[..., None, None]).exp().sum(dim=(2, 3))
    # A peak so far above its cells that their sum vanishes still has a finite share.
    return positions, logits, 1 / total.clamp(min=torch.finfo(torch.float32).tiny)


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
        at_once = max(1, ELEMENTS_AT_ONCE // max(keypoint_count * width * height, 1))
        for part in rows.split(at_once):
            yield part, width, height


def _peaks(maps: Tensor, pixels: Tensor, width: int, height: int) -> tuple[Tensor, Tensor, Tensor]:
    """The best pixel of each stretched map: its column, its row and its value, each (R, K).

    Args:
        maps: (R, K, M, M).
        pixels: (R, 2), width and height of each box, at most ``width`` and ``height``.
    """
    side = maps.shape[-1]
    rows = _stretched(maps.transpose(2, 3), *_taps(pixels[:, 1], height, side)).transpose(2, 3)
    stretched = _stretched(rows, *_taps(pixels[:, 0], width, side))
    # Behind a box's own pixels the last one is repeated; the first of equal values is found.
    best_in_row, column = stretched.max(dim=3)
    peak, row = best_in_row.max(dim=2)
    return column.gather(2, row[..., None])[..., 0], row, peak


def _stretched(maps: Tensor, cells: Tensor, weights: Tensor) -> Tensor:
    """(R, K, L, M) to (R, K, L, length): four cells a pixel, weighted and added from the first."""
    size = (*maps.shape[:3], cells.shape[-1])
    first, second, third, fourth = (
        maps.gather(3, cells[tap, :, None, None].expand(size)) * weights[tap, :, None, None]
        for tap in range(4)
    )
    return first + second + third + fourth


def _taps(pixels: Tensor, length: int, side: int) -> tuple[Tensor, Tensor]:
    """The cells of a row of ``side`` that make up each of the pixels it is stretched to.

    Cells beyond the ends are like the last one. Pixels behind a row's own repeat its last one.

    Args:
        pixels: (R,), pixels a row, at most ``length``.

    Returns:
        (4, R, length) int64, the cells, and of the dtype of ``pixels``, what each contributes.
    """
    count = pixels.double()[:, None]
    index = torch.arange(length, device=pixels.device).double().minimum(count - 1)
    centre = (index + 0.5) * side / count - 0.5
    tap = torch.stack([centre.floor() + step for step in range(-1, 3)])
    return tap.long().clamp(0, side - 1), _cubic((centre - tap).abs()).to(pixels.dtype)


def _cubic(distance: Tensor) -> Tensor:
    """The cubic convolution kernel at distances of 0 to 2 cells."""
    a, d = CUBIC_COEFFICIENT, distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return torch.where(d <= 1, near, far)


def _native(heat_maps: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    if heat_maps.dtype not in MACROS or boxes.dtype is not torch.float32:
        return NotImplemented
    outputs = _empty(heat_maps)
    extension().decode_keypoints(
        stored(heat_maps), stored(boxes), *outputs, torch.get_num_threads()
    )
    return outputs


BLOCK = 128
SHARED_COLUMNS = 256
"""Columns whose weights a block holds at a time; as in the source."""


def _cuda(heat_maps: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    boxes_count, keypoints, side = heat_maps.shape[:3]
    shared_bytes = 4 * (side * (side + 1) + 5 * SHARED_COLUMNS)
    too_large = shared_bytes > 40 << 10  # of the 48 KiB that every device grants unasked
    if heat_maps.dtype not in MACROS or boxes.dtype is not torch.float32 or too_large:
        return NotImplemented
    outputs = _empty(heat_maps)
    launch(
        "decode_keypoints.cu",
        "decode_keypoints",
        grid=(boxes_count * keypoints, 1, 1),
        block=(BLOCK, 1, 1),
        arguments=(stored(heat_maps), stored(boxes), *outputs, keypoints, side),
        scalar=heat_maps.dtype,
        shared_bytes=shared_bytes,
    )
    return outputs


def _empty(heat_maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    dtype = torch.float64 if heat_maps.dtype is torch.float64 else torch.float32
    boxes, keypoints = heat_maps.shape[:2]
    return (
        heat_maps.new_empty((boxes, keypoints, 2), dtype=dtype),
        heat_maps.new_empty((boxes, keypoints), dtype=dtype),
        heat_maps.new_empty((boxes, keypoints), dtype=dtype),
    )


def _fake(heat_maps: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return _empty(heat_maps)


_operator = register(
    "decode_keypoints(Tensor heat_maps, Tensor boxes) -> (Tensor, Tensor, Tensor)",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)
