"""Paste mask head outputs into the image, to the conventions of torchvision.

The grid gets a border of one cell of zeros, its box grows by as much, and the box's corners are cut
off to whole pixels, the second inclusive; the grid is stretched over those pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from benchsuite_kernels import ops


def paste_expanded_masks(
    masks: Tensor, boxes: Tensor, image_index: Tensor, sizes: Sequence[tuple[int, int]]
) -> list[bytes]:
    """The COCO RLE of each mask, pasted into its image; a pixel is inside from a probability of
    one half.

    Args:
        masks: (R, M, M) floating, probabilities.
        boxes: (R, 4) floating, xyxy, image pixels.
        image_index: (R,) int64, which of the images each mask belongs to.
        sizes: height and width of each image, pixels.
    """
    return ops.paste_masks_to_rle(
        F.pad(masks, (1, 1, 1, 1)), expanded_boxes(boxes, masks.shape[-1]), image_index, sizes
    )


def expanded_boxes(boxes: Tensor, side: int) -> Tensor:
    """Where the grid with its border goes.

    Args:
        boxes: (R, 4), xyxy.
        side: M, cells of the grid without the border.

    Returns:
        (R, 4), xyxy: whole numbers, the second corner behind the last pixel.
    """
    center = 0.5 * (boxes[:, 2:] + boxes[:, :2])
    half = 0.5 * (boxes[:, 2:] - boxes[:, :2]) * ((side + 2) / side)
    return torch.cat([(center - half).trunc(), (center + half).trunc() + 1], dim=1)
