"""What a mask head is to predict: each object's mask, cropped to a region and resized."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchsuite.records import RLE
from benchsuite.targets import Polygons, TargetMask
from benchsuite_kernels import ops
from benchsuite_kernels.columns import rle


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
    if not masks:
        return torch.zeros((len(boxes), size, size), dtype=torch.bool, device=boxes.device)
    regions = boxes.float()
    outlined = [mask if isinstance(mask, tuple) else () for mask in masks]
    targets = _draw(outlined, matched, regions, size)
    bitmaps = [index for index, mask in enumerate(masks) if not isinstance(mask, tuple)]
    if bitmaps:
        index = torch.full((len(masks),), -1)
        index[bitmaps] = torch.arange(len(bitmaps))
        shown = index.to(boxes.device, non_blocking=True)[matched]
        targets |= _crop([masks[each] for each in bitmaps], shown, regions, size)
    return targets


def _draw(masks: Sequence[Polygons], matched: Tensor, boxes: Tensor, size: int) -> Tensor:
    polygons = [points for mask in masks for points in mask]
    points = np.concatenate([np.zeros((0, 2)), *polygons])
    arrays = (points, _starts(polygons), _starts(masks))
    flat = [torch.from_numpy(array).to(boxes.device, non_blocking=True) for array in arrays]
    return ops.polygon_targets(flat[0], flat[1], flat[2], matched, boxes, size)


def _starts(rows: Sequence[Sequence[object] | NDArray[np.float64]]) -> NDArray[np.int64]:
    """Where each row begins among the items of all, and their number."""
    return np.cumsum([0, *(len(row) for row in rows)], dtype=np.int64)


def _crop(masks: Sequence[TargetMask], index: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Of bitmaps and run lengths."""
    lengths = [
        mask if isinstance(mask, RLE) else RLE(np.shape(mask), rle.encode(np.asarray(mask)))
        for mask in masks
    ]
    sizes = [(each.size[0], each.size[1]) for each in lengths]
    bits = ops.packed_from_rle([each.counts for each in lengths], sizes, boxes.device)
    shapes = torch.tensor(sizes).to(boxes.device, non_blocking=True)
    return ops.crop_packed_masks(bits, shapes, index, boxes, size)
