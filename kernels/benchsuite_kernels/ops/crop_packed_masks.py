"""What a mask head is to predict of objects that are given as bitmaps.

Source: Detectron2's ``BitMasks.crop_and_resize``: RoIAlign of the bitmap over the region, with as
many samples as pixels, and a cell is inside from one half on.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import roi_align

from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.packed_masks import halves, unpack_masks
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.tensors import stored

MOST_SAMPLES = 2.0**20
"""Pixels: where a cell is not smaller it sees nothing."""


def crop_packed_masks(
    bits: Tensor, sizes: Tensor, index: Tensor, boxes: Tensor, size: int
) -> Tensor:
    """The masks of objects as regions see them: the mean of each cell is at least one half.

    Means are summed in float32 in the order of torchvision's ``roi_align`` (on the CPU), so that
    none falls to the other side. A region without positive finite extent sees nothing.

    Args:
        bits: (M, words) int64, packed masks (``packed_masks``).
        sizes: (M, 2) int64, height and width of each.
        index: (R,) int64, which mask each region shows; -1: none, and its target is empty.
        boxes: (R, 4) float32, xyxy, the regions, in pixels of the masks.
        size: cells a side, S.

    Returns:
        (R, S, S) bool.

    Raises:
        ValueError: shapes or dtypes that do not fit together; on the CPU also a mask larger than
            its bits and an index out of range.
    """
    count = len(boxes)
    if boxes.shape != (count, 4) or index.shape != (count,) or size < 1:
        raise ValueError(
            f"boxes {tuple(boxes.shape)} and index {tuple(index.shape)} are not (R, 4), (R,), or "
            f"size={size} is less than 1"
        )
    if bits.ndim != 2 or sizes.shape != (len(bits), 2):
        raise ValueError(
            f"bits {tuple(bits.shape)} and sizes {tuple(sizes.shape)} are not (M, words), (M, 2)"
        )
    dtypes = (bits.dtype, sizes.dtype, index.dtype, boxes.dtype)
    if dtypes != (torch.int64, torch.int64, torch.int64, torch.float32):
        raise ValueError(f"{dtypes} are not three of int64, float32")
    targets: Tensor = _operator(bits, sizes, index, boxes, size)
    return targets


def reference(bits: Tensor, sizes: Tensor, index: Tensor, boxes: Tensor, size: int) -> Tensor:
    """``crop_packed_masks`` by torchvision, a mask at a time."""
    targets = boxes.new_zeros((len(boxes), size, size), dtype=torch.bool)
    cell = (boxes[:, 2:] - boxes[:, :2]) / size
    seen = ((cell > 0) & (cell < MOST_SAMPLES) & boxes.isfinite().all(dim=1)[:, None]).all(dim=1)
    shapes = sizes.tolist()
    if len(index) and int(index.max()) >= len(bits):
        raise ValueError(f"index is beyond the masks: {int(index.max())} of {len(bits)}")
    for mask, (height, width) in enumerate(shapes):
        rows = torch.nonzero((index == mask) & seen).squeeze(1)
        if len(rows) and height and width:
            pixels = unpack_masks(bits[mask : mask + 1], height, width)[None].float()
            cells = roi_align(pixels.contiguous(), [boxes[rows]], size, aligned=True)
            targets[rows] = cells[:, 0] >= 0.5
    return targets


def _native(bits: Tensor, sizes: Tensor, index: Tensor, boxes: Tensor, size: int) -> Tensor:
    targets = torch.empty((len(boxes), size, size), dtype=torch.bool)
    extension().crop_packed_masks(
        stored(bits), stored(sizes), stored(index), stored(boxes), targets, torch.get_num_threads()
    )
    return targets


def _cuda(bits: Tensor, sizes: Tensor, index: Tensor, boxes: Tensor, size: int) -> Tensor:
    targets = boxes.new_empty((len(boxes), size, size), dtype=torch.bool)
    launch(
        "crop_packed_masks.cu",
        "crop_packed_masks",
        grid=(-(-targets.numel() // 256), 1, 1),
        block=(256, 1, 1),
        arguments=(
            halves(bits),
            stored(sizes),
            len(bits),
            bits.shape[1],
            stored(index),
            stored(boxes),
            len(boxes),
            size,
            targets,
        ),
    )
    return targets


_operator = register(
    "crop_packed_masks(Tensor bits, Tensor sizes, Tensor index, Tensor boxes, int size) -> Tensor",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=lambda bits, sizes, index, boxes, size: boxes.new_empty(
        (len(boxes), size, size), dtype=torch.bool
    ),
)
