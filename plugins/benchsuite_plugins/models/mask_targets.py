"""What a mask head is to predict: each object's mask, cropped to a region and resized."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchsuite.records import RLE
from benchsuite.targets import Polygons, TargetMask
from benchsuite_kernels import ops
from benchsuite_kernels.columns import rle

SHORTEST_SIDE = 0.1
"""Pixels: a region with a shorter side is scaled as if it had this one."""


def mask_targets(masks: Sequence[TargetMask], matched: Tensor, boxes: Tensor, size: int) -> Tensor:
    """The masks of objects as regions see them.

    Polygons are moved into the region's frame, then rasterised there as pycocotools does; bitmaps
    are averaged over each cell by RoIAlign, and a cell is inside from one half on.

    Args:
        masks: of all objects.
        matched: (R,) int64, which of them each region shows.
        boxes: (R, 4), xyxy, the regions, in pixels of the masks.
        size: cells a side, S.

    Returns:
        (R, S, S) bool, on the boxes' device.
    """
    targets = torch.zeros((len(boxes), size, size), dtype=torch.bool, device=boxes.device)
    objects = matched.tolist()
    outlined = [row for row, index in enumerate(objects) if isinstance(masks[index], tuple)]
    if outlined:
        corners = boxes.float().cpu().numpy()
        # pycocotools takes one object at a time, on the CPU.
        drawn = [_draw(masks[objects[row]], corners[row], size) for row in outlined]
        targets[outlined] = torch.from_numpy(np.stack(drawn)).to(boxes.device)
    for rows, bitmaps, index in _bitmaps_by_size(masks, objects):
        targets[rows] = _crop(bitmaps.to(boxes.device), index.to(boxes.device), boxes[rows], size)
    return targets


def _draw(polygons: Polygons, box: NDArray[np.float32], size: int) -> NDArray[np.bool_]:
    if not polygons:
        return np.zeros((size, size), np.bool_)
    scale = size / np.maximum(box[2:] - box[:2], SHORTEST_SIDE)
    moved = [((points - box[:2]) * scale).ravel() for points in polygons]
    return rle.decode(rle.from_polygons(moved, (size, size)), (size, size)).astype(np.bool_)


def _bitmaps_by_size(
    masks: Sequence[TargetMask], objects: Sequence[int]
) -> list[tuple[list[int], Tensor, Tensor]]:
    """Rows whose masks are bitmaps (or run lengths) of one size, those bitmaps (B, H, W) and which
    of them each row shows."""
    rows = defaultdict(list)
    for row, object_ in enumerate(objects):
        mask = masks[object_]
        if not isinstance(mask, tuple):
            rows[mask.size if isinstance(mask, RLE) else mask.shape].append(row)
    groups = []
    for same_size in rows.values():
        shown, index = np.unique([objects[row] for row in same_size], return_inverse=True)
        bitmaps = np.stack([_bitmap(masks[which]) for which in shown])
        groups.append((same_size, torch.from_numpy(bitmaps), torch.from_numpy(index)))
    return groups


def _bitmap(mask: TargetMask) -> NDArray[np.bool_]:
    pixels = rle.decode(mask.counts, mask.size) if isinstance(mask, RLE) else mask
    return np.ascontiguousarray(pixels, np.bool_)


def _crop(bitmaps: Tensor, index: Tensor, boxes: Tensor, size: int) -> Tensor:
    level = torch.zeros_like(index)
    cells = ops.roi_align([bitmaps[:, None].float()], boxes.float(), index, level, [1.0], size)
    return cells[:, 0] >= 0.5
