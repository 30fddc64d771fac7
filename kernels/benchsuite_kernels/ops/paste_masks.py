"""Paste mask head outputs into images, to the conventions of Detectron2.

A mask is a grid of M x M probabilities stretched over its box. At the centre ``(x + 0.5, y + 0.5)``
of an image pixel its value is the bilinear interpolation between the centres of the grid's cells,
with zeros around the grid; the pixel is inside where that value reaches the threshold. Values are
rounded as torch's ``grid_sample`` rounds them in float32, by every implementation.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from benchsuite_kernels.columns import rle
from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.dispatch import emulating, extension, native, refuse_reference, tally
from benchsuite_kernels.ops.packed_masks import halves, packed_by_torch, words_of
from benchsuite_kernels.ops.packed_runs import Size, rle_of_runs, runs_by_torch, runs_cuda
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.tensors import stored

BLOCKS_A_MASK = 64
"""Of 8 warps: a mask over a whole large image needs them, those of a small one end at once."""


def paste_masks_to_rle(
    masks: Tensor,
    boxes: Tensor,
    image_index: Tensor,
    sizes: Sequence[Size],
    threshold: float = 0.5,
) -> list[bytes]:
    """The COCO RLE of each mask of a batch, pasted into its image.

    Nothing of an image's size is made on the CPU; from another device only run lengths are copied,
    once a call.

    Args:
        masks: (R, M, M) floating, probabilities.
        boxes: (R, 4) floating, xyxy, pixels of the mask's image; they may reach beyond it. One
            without a positive finite extent gives an empty mask.
        image_index: (R,) int64, which of the images each mask belongs to.
        sizes: height and width of each image, pixels.
        threshold: above 0, at most 1; a pixel that reaches it is inside.

    Returns:
        R compressed counts (``benchsuite_kernels.columns.rle``) for the sizes of their images.

    Raises:
        ValueError: shapes that do not fit together, a threshold or an image size out of range, an
            index out of range (on the CPU).
    """
    _check(masks, boxes, image_index, sizes, threshold)
    if masks.device.type == "cpu" and not emulating():
        if native() is not None and masks.dtype is not torch.float64:
            tally("paste_masks_to_rle", "c++")
            counts: list[bytes] = extension().paste_masks_to_rle(
                _single(masks),
                _single(boxes),
                stored(image_index),
                sizes,
                threshold,
                torch.get_num_threads(),
            )
            return counts
        refuse_reference("paste_masks_to_rle")
        tally("paste_masks_to_rle", "reference")
        pasted = _pasted(masks, boxes, image_index, sizes, threshold)
        return [rle.encode(mask.numpy()) for mask in pasted]
    most = max((height * width for height, width in sizes), default=0)
    places = _on_device(sizes, masks)
    return rle_of_runs(
        lambda capacity: paste_masks_runs(
            masks, boxes, image_index, places, most, capacity, threshold
        ),
        len(masks),
    )


def paste_masks_to_packed(
    masks: Tensor,
    boxes: Tensor,
    image_index: Tensor,
    sizes: Sequence[Size],
    threshold: float = 0.5,
) -> Tensor:
    """The masks of a batch, pasted into their images, as packed bits.

    Arguments and errors are those of ``paste_masks_to_rle``.

    Returns:
        (R, words) int64, on the masks' device (``packed_masks``); the largest image says how many
        words.
    """
    _check(masks, boxes, image_index, sizes, threshold)
    words = max((words_of(height * width) for height, width in sizes), default=0)
    places = _on_device(sizes, masks)
    bits: Tensor = paste_masks_packed(masks, boxes, image_index, places, words, threshold)
    return bits


def _check(
    masks: Tensor, boxes: Tensor, image_index: Tensor, sizes: Sequence[Size], threshold: float
) -> None:
    count, side = len(masks), masks.shape[-1]
    if masks.shape != (count, side, side) or boxes.shape != (count, 4) or side < 1:
        raise ValueError(
            f"masks {tuple(masks.shape)} and boxes {tuple(boxes.shape)} are not (R, M, M), (R, 4)"
        )
    if image_index.shape != (count,) or image_index.dtype is not torch.int64:
        raise ValueError(
            f"image_index {tuple(image_index.shape)} {image_index.dtype} is not ({count},) int64"
        )
    for height, width in sizes:
        if height < 0 or width < 0:
            raise ValueError(f"an image of {height} x {width} pixels cannot be")
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold={threshold} is not above 0 and at most 1")


def _single(tensor: Tensor) -> Tensor:
    if tensor.dtype is not torch.float32:
        tensor = tensor.float()
    return stored(tensor.detach() if tensor.requires_grad else tensor)


def _on_device(sizes: Sequence[Size], masks: Tensor) -> Tensor:
    """(N, 2) int64; the device takes them when it comes to it."""
    listed = torch.tensor(sizes, dtype=torch.int64).view(-1, 2)
    return listed.to(masks.device, non_blocking=True)


def _pasted(
    masks: Tensor,
    boxes: Tensor,
    image_index: Tensor,
    sizes: Sequence[Size],
    threshold: float,
) -> list[Tensor]:
    """(height, width) bool each, by ``grid_sample``, a mask at a time; float32 and float64."""
    if masks.dtype not in (torch.float32, torch.float64):
        masks = masks.float()
    pasted = []
    for mask, box, image in zip(masks, boxes.to(masks.dtype), image_index.tolist(), strict=True):
        if not 0 <= image < len(sizes):
            raise ValueError(f"image_index holds {image}, outside 0 to {len(sizes) - 1}")
        pasted.append(_paste(mask.detach(), box.detach(), *sizes[image], threshold))
    return pasted


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


def _listed(sizes: Tensor) -> list[Size]:
    return [(height, width) for height, width in sizes.tolist()]


def _packed_reference(
    masks: Tensor, boxes: Tensor, image_index: Tensor, sizes: Tensor, words: int, threshold: float
) -> Tensor:
    pasted = _pasted(masks, boxes, image_index, _listed(sizes), threshold)
    bits = [packed_by_torch(mask[None], words) for mask in pasted]
    return torch.cat([masks.new_zeros((0, words), dtype=torch.int64), *bits])


def _packed_native(
    masks: Tensor, boxes: Tensor, image_index: Tensor, sizes: Tensor, words: int, threshold: float
) -> Tensor:
    if masks.dtype is torch.float64:
        return NotImplemented
    bits = torch.empty((len(masks), words), dtype=torch.int64)
    extension().paste_masks_packed(
        _single(masks),
        _single(boxes),
        stored(image_index),
        stored(sizes),
        threshold,
        bits,
        torch.get_num_threads(),
    )
    return bits


def _packed_cuda(
    masks: Tensor, boxes: Tensor, image_index: Tensor, sizes: Tensor, words: int, threshold: float
) -> Tensor:
    if masks.dtype is torch.float64:
        return NotImplemented
    count, side = masks.shape[:2]
    # Only words that a box reaches are written.
    bits = torch.zeros((count, words), dtype=torch.int64, device=masks.device)
    launch(
        "paste_masks.cu",
        "paste_masks",
        grid=(count * BLOCKS_A_MASK, 1, 1),
        block=(256, 1, 1),
        arguments=(
            _single(masks),
            _single(boxes),
            stored(image_index),
            stored(sizes),
            count,
            side,
            len(sizes),
            words,
            BLOCKS_A_MASK,
            float(threshold),
            halves(bits),
        ),
    )
    return bits


def _runs_reference(
    masks: Tensor,
    boxes: Tensor,
    image_index: Tensor,
    sizes: Tensor,
    most_pixels: int,
    capacity: int,
    threshold: float,
) -> Tensor:
    pasted = _pasted(masks, boxes, image_index, _listed(sizes), threshold)
    return runs_by_torch(pasted, capacity, masks.device)


def _runs_native(
    masks: Tensor,
    boxes: Tensor,
    image_index: Tensor,
    sizes: Tensor,
    most_pixels: int,
    capacity: int,
    threshold: float,
) -> Tensor:
    if masks.dtype is torch.float64:
        return NotImplemented
    runs = torch.empty(len(masks) + 1 + capacity, dtype=torch.int32)
    extension().paste_masks_runs(
        _single(masks),
        _single(boxes),
        stored(image_index),
        stored(sizes),
        threshold,
        runs,
        torch.get_num_threads(),
    )
    return runs


def _runs_cuda(
    masks: Tensor,
    boxes: Tensor,
    image_index: Tensor,
    sizes: Tensor,
    most_pixels: int,
    capacity: int,
    threshold: float,
) -> Tensor:
    bits = _packed_cuda(masks, boxes, image_index, sizes, words_of(most_pixels), threshold)
    if bits is NotImplemented:
        return NotImplemented
    pixels = sizes.prod(dim=1).index_select(0, image_index)
    return runs_cuda(bits, pixels, capacity)


paste_masks_packed = register(
    "paste_masks_packed(Tensor masks, Tensor boxes, Tensor image_index, Tensor sizes, int words, "
    "float threshold) -> Tensor",
    reference=_packed_reference,
    native=_packed_native,
    cuda=_packed_cuda,
    fake=lambda masks, boxes, image_index, sizes, words, threshold: masks.new_empty(
        (len(masks), words), dtype=torch.int64
    ),
)
"""``paste_masks_to_packed`` with ``sizes`` as (N, 2) int64 on the masks' device: nothing is copied
to or from the device."""

paste_masks_runs = register(
    "paste_masks_runs(Tensor masks, Tensor boxes, Tensor image_index, Tensor sizes, "
    "int most_pixels, int capacity, float threshold) -> Tensor",
    reference=_runs_reference,
    native=_runs_native,
    cuda=_runs_cuda,
    fake=lambda masks, boxes, image_index, sizes, most_pixels, capacity, threshold: masks.new_empty(
        len(masks) + 1 + capacity, dtype=torch.int32
    ),
)
"""The runs (``packed_runs``) of the masks of a batch; ``most_pixels``: of the largest image."""
