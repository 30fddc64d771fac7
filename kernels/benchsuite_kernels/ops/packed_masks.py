"""Masks as packed bits, 1/8 byte a pixel: what a device works on and holds.

A stack of R masks is (R, words) int64. A mask is read column by column, as COCO's run lengths are:
pixel ``p = x * height + y`` is bit ``p % 64`` of word ``p // 64``, the lowest bit first. Bits
behind a mask's last pixel are zero. Masks of images of different sizes may share a stack.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.tensors import stored

WORD_BITS = 64

MOST_PIXELS = 2**31 - 1
"""Of an image whose masks are packed: pixels are counted in 32 bits on the device."""


def words_of(pixels: int) -> int:
    """How many words so many pixels need.

    Raises:
        ValueError: more than ``MOST_PIXELS``.
    """
    if pixels > MOST_PIXELS:
        raise ValueError(f"masks of {pixels} pixels; up to {MOST_PIXELS} can be packed")
    return -(-pixels // WORD_BITS)


def pack_masks(masks: Tensor) -> Tensor:
    """Masks to packed bits.

    Args:
        masks: (R, H, W) bool.

    Returns:
        (R, words) int64, on the same device.

    Raises:
        ValueError: another shape or dtype, or more pixels than can be packed.
    """
    if masks.ndim != 3 or masks.dtype is not torch.bool:
        raise ValueError(f"masks {tuple(masks.shape)} {masks.dtype} are not (R, H, W) bool")
    bits: Tensor = _pack(masks, words_of(masks.shape[1] * masks.shape[2]))
    return bits


def unpack_masks(bits: Tensor, height: int, width: int) -> Tensor:
    """Packed bits to masks: (R, height, width) bool, column by column in memory.

    Args:
        bits: (R, words) int64, of masks of such an image.

    Raises:
        ValueError: another shape, or fewer bits than pixels.
    """
    _check_bits("bits", bits)
    if height < 0 or width < 0 or bits.shape[1] < words_of(height * width):
        raise ValueError(f"bits {tuple(bits.shape)} of images of {height} x {width} pixels")
    pixels = _unpacked(bits)[:, : height * width]
    return pixels.view(len(bits), width, height).transpose(1, 2)


def packed_area(bits: Tensor) -> Tensor:
    """Pixels inside each mask: (R,) int64.

    Args:
        bits: (R, words) int64.

    Raises:
        ValueError: another shape or dtype.
    """
    _check_bits("bits", bits)
    areas: Tensor = _areas(bits)
    return areas


def packed_intersection(a: Tensor, b: Tensor) -> Tensor:
    """Pixels inside both masks, of every pair: (A, B) int64.

    Args:
        a, b: (A, words), (B, words) int64, of images of one size.

    Raises:
        ValueError: other shapes or dtypes.
    """
    _check_bits("a", a)
    _check_bits("b", b)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"masks of {a.shape[1]} and {b.shape[1]} words are of different images")
    pixels: Tensor = _intersections(a, b)
    return pixels


def packed_merge(bits: Tensor, *, intersect: bool = False) -> Tensor:
    """The union of masks of one image, or their intersection: (words,) int64; empty of none.

    Args:
        bits: (R, words) int64.

    Raises:
        ValueError: another shape or dtype.
    """
    _check_bits("bits", bits)
    merged: Tensor = _merge(bits, intersect)
    return merged


def packed_iou(detections: Tensor, truths: Tensor, crowd: Tensor | None = None) -> Tensor:
    """Intersection over union of every pair, as pycocotools: 0 where both masks are empty.

    Args:
        detections, truths: (D, words), (G, words) int64, of images of one size.
        crowd: (G,) bool; the union with a crowd is the detection alone.

    Returns:
        (D, G) float64.

    Raises:
        ValueError: other shapes or dtypes.
    """
    common = packed_intersection(detections, truths)
    own = packed_area(detections)[:, None]
    union = own + packed_area(truths) - common
    if crowd is not None:
        union = torch.where(crowd, own, union)
    return torch.where(common > 0, common.double() / union, 0.0)


def _check_bits(name: str, bits: Tensor) -> None:
    if bits.ndim != 2 or bits.dtype is not torch.int64:
        raise ValueError(f"{name} {tuple(bits.shape)} {bits.dtype} are not (R, words) int64")


def _unpacked(bits: Tensor) -> Tensor:
    """(R, words * 64) bool."""
    places = torch.arange(WORD_BITS, device=bits.device)
    return ((bits[:, :, None] >> places) & 1).flatten(1).bool()


def packed_by_torch(masks: Tensor, words: int) -> Tensor:
    """(R, H, W) bool to (R, words) int64."""
    flat = masks.new_zeros((len(masks), words * WORD_BITS), dtype=torch.int64)
    flat[:, : masks.shape[1] * masks.shape[2]] = masks.transpose(1, 2).flatten(1)
    places = torch.arange(WORD_BITS, device=masks.device)
    return (flat.view(len(masks), words, WORD_BITS) << places).sum(dim=2)


def halves(bits: Tensor) -> Tensor:
    """(R, 2 * words) int32: the same bits as kernels on a device read them."""
    return stored(bits).view(torch.int32)


def _pack_native(masks: Tensor, words: int) -> Tensor:
    bits = torch.empty((len(masks), words), dtype=torch.int64)
    extension().pack_masks(stored(masks), bits, torch.get_num_threads())
    return bits


def _areas_by_torch(bits: Tensor) -> Tensor:
    return _unpacked(bits).sum(dim=1)


def _areas_native(bits: Tensor) -> Tensor:
    areas = torch.empty(len(bits), dtype=torch.int64)
    extension().packed_areas(stored(bits), areas, torch.get_num_threads())
    return areas


def _areas_cuda(bits: Tensor) -> Tensor:
    areas = bits.new_empty(len(bits))
    launch(
        "packed_overlap.cu",
        "packed_areas",
        grid=(len(bits), 1, 1),
        block=(256, 1, 1),
        arguments=(halves(bits), bits.shape[1], areas),
    )
    return areas


def _intersections_by_torch(a: Tensor, b: Tensor) -> Tensor:
    pixels = [_areas_by_torch(a & mask) for mask in b]
    return torch.stack(pixels, dim=1) if pixels else a.new_zeros((len(a), 0))


def _intersections_native(a: Tensor, b: Tensor) -> Tensor:
    pixels = torch.empty((len(a), len(b)), dtype=torch.int64)
    extension().packed_intersections(stored(a), stored(b), pixels, torch.get_num_threads())
    return pixels


def _intersections_cuda(a: Tensor, b: Tensor) -> Tensor:
    pixels = a.new_empty((len(a), len(b)))
    launch(
        "packed_overlap.cu",
        "packed_intersections",
        grid=(-(-len(a) // 8), -(-len(b) // 8), 1),
        block=(256, 1, 1),
        arguments=(halves(a), len(a), halves(b), len(b), a.shape[1], pixels),
    )
    return pixels


def _merge_by_torch(bits: Tensor, intersect: bool) -> Tensor:
    if not len(bits):
        return bits.new_zeros(bits.shape[1])
    merged = bits[0].clone()
    for mask in bits[1:]:
        merged = merged & mask if intersect else merged | mask
    return merged


def _merge_native(bits: Tensor, intersect: bool) -> Tensor:
    merged = torch.empty(bits.shape[1], dtype=torch.int64)
    extension().packed_merge(stored(bits), intersect, merged)
    return merged


def _merge_cuda(bits: Tensor, intersect: bool) -> Tensor:
    merged = bits.new_empty(bits.shape[1])
    launch(
        "packed_overlap.cu",
        "packed_merge",
        grid=(-(-bits.shape[1] // 256), 1, 1),
        block=(256, 1, 1),
        arguments=(stored(bits), len(bits), bits.shape[1], int(intersect), merged),
    )
    return merged


_pack = register(
    "pack_masks(Tensor masks, int words) -> Tensor",
    reference=packed_by_torch,
    native=_pack_native,
    fake=lambda masks, words: masks.new_empty((len(masks), words), dtype=torch.int64),
)
_areas = register(
    "packed_areas(Tensor bits) -> Tensor",
    reference=_areas_by_torch,
    native=_areas_native,
    cuda=_areas_cuda,
    fake=lambda bits: bits.new_empty(len(bits)),
)
_intersections = register(
    "packed_intersections(Tensor a, Tensor b) -> Tensor",
    reference=_intersections_by_torch,
    native=_intersections_native,
    cuda=_intersections_cuda,
    fake=lambda a, b: a.new_empty((len(a), len(b))),
)
_merge = register(
    "packed_merge(Tensor bits, bool intersect) -> Tensor",
    reference=_merge_by_torch,
    native=_merge_native,
    cuda=_merge_cuda,
    fake=lambda bits, intersect: bits.new_empty(bits.shape[1]),
)
