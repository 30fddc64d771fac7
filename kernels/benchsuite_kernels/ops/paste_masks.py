"""Paste mask head outputs into the image and encode them, to the conventions of Detectron2.

A mask is a grid of M x M probabilities stretched over its box. At the centre ``(x + 0.5, y + 0.5)``
of an image pixel its value is the bilinear interpolation between the centres of the grid's cells,
with zeros around the grid; the pixel is inside where that value reaches the threshold.
"""

from __future__ import annotations

from math import ceil, floor

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from benchsuite_kernels.columns import rle
from benchsuite_kernels.dispatch import native, tally
from benchsuite_kernels.ops.tensors import as_array, kernel_takes


def paste_masks_to_rle(
    masks: Tensor, boxes: Tensor, height: int, width: int, threshold: float = 0.5
) -> list[bytes]:
    """The COCO RLE of each mask, pasted into an image.

    Args:
        masks: (R, M, M) floating, probabilities.
        boxes: (R, 4) floating, xyxy, image pixels; they may reach beyond the image. One without a
            positive finite extent gives an empty mask.
        height, width: of the image, pixels.
        threshold: above 0, at most 1; a pixel that reaches it is inside.

    Returns:
        R compressed counts (``benchsuite_kernels.columns.rle``) for ``(height, width)``.

    Raises:
        ValueError: shapes that do not fit together, a threshold or an image size out of range.
    """
    count, side = len(masks), masks.shape[-1]
    if masks.shape != (count, side, side) or boxes.shape != (count, 4) or side < 1:
        raise ValueError(
            f"masks {tuple(masks.shape)} and boxes {tuple(boxes.shape)} are not (R, M, M), (R, 4)"
        )
    if height < 0 or width < 0:
        raise ValueError(f"an image of {height} x {width} pixels cannot be")
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold={threshold} is not above 0 and at most 1")
    extension = native()
    if extension is not None and kernel_takes(masks):
        tally("paste_masks_to_rle", "c++")
        counts: list[bytes] = extension.paste_masks(
            as_array(masks, torch.float32),
            as_array(boxes, torch.float32),
            (height, width),
            threshold,
            torch.get_num_threads(),
        )
        return counts
    tally("paste_masks_to_rle", "reference" if masks.device.type == "cpu" else "torchvision")
    return reference(masks, boxes, height, width, threshold)


def reference(
    masks: Tensor, boxes: Tensor, height: int, width: int, threshold: float = 0.5
) -> list[bytes]:
    """``paste_masks_to_rle`` by ``grid_sample``, a mask at a time; float32 and float64."""
    return [
        rle.encode(_paste(mask, box, height, width, threshold).cpu().numpy())
        for mask, box in zip(masks, boxes.to(masks.dtype))
    ]


def _paste(mask: Tensor, box: Tensor, height: int, width: int, threshold: float) -> Tensor:
    """(height, width) bool."""
    inside = torch.zeros((height, width), dtype=torch.bool, device=mask.device)
    extent = box[2:] - box[:2]
    if not (extent.isfinite().all() and (extent > 0).all()):
        return inside
    # Half a cell beyond the box the value is zero; only what may differ from zero is sampled.
    x1, y1, x2, y2 = box.tolist()
    beyond_x, beyond_y = (extent / len(mask)).tolist()
    left, right = max(floor(x1 - beyond_x), 0), min(ceil(x2 + beyond_x), width)
    top, bottom = max(floor(y1 - beyond_y), 0), min(ceil(y2 + beyond_y), height)
    if left >= right or top >= bottom:
        return inside
    x = torch.arange(left, right, device=mask.device, dtype=mask.dtype) + 0.5
    y = torch.arange(top, bottom, device=mask.device, dtype=mask.dtype) + 0.5
    x = (x - box[0]) / extent[0] * 2 - 1
    y = (y - box[1]) / extent[1] * 2 - 1
    grid = torch.stack([x.expand(len(y), -1), y[:, None].expand(-1, len(x))], dim=-1)
    value = grid_sample(mask[None, None], grid[None], mode="bilinear", align_corners=False)
    inside[top:bottom, left:right] = value[0, 0] >= threshold
    return inside
