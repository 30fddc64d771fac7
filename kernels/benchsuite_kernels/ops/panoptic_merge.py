"""Instances and a semantic map into one panoptic map.

Source: Kirillov et al., "Panoptic segmentation" (2019), to the conventions of Detectron2. Masks are
taken best first, equal scores as they come. One goes that scores too little, is empty, or of which
better ones that stay cover more than a share; else it gets the pixels that are still free, and the
next number, from 1. Then stuff gets what is free, a segment a class in ascending order, where that
is enough.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from benchsuite_kernels.columns import rle
from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.dispatch import extension, native, refuse_reference, tally
from benchsuite_kernels.ops.packed_masks import halves, unpack_masks, words_of
from benchsuite_kernels.ops.registration import register
from benchsuite_kernels.ops.tensors import stored

MOST_CLASSES = 12 * 1024
"""Whose pixels a block can count in its shared memory."""


class PanopticSegments(NamedTuple):
    """Who has which number; 0 is nobody.

    Attributes:
        ids: (H, W) int32, the number of each pixel's segment.
        instances: (R,) int32, the number of each mask.
        stuff: (K,) int32, the number of each class of the semantic map.
    """

    ids: Tensor
    instances: Tensor
    stuff: Tensor


def panoptic_merge(
    bits: Tensor,
    scores: Tensor,
    semantic: Tensor,
    classes: int,
    *,
    overlap_thresh: float,
    stuff_area_limit: int,
    score_thresh: float,
) -> PanopticSegments:
    """Merge packed masks; on a device nothing waits for it.

    Args:
        bits: (R, words) int64, packed masks (``packed_masks``) of the image.
        scores: (R,) float32.
        semantic: (H, W) uint8, int32 or int64, the class of each pixel; 0: no stuff.
        classes: K, how many classes there are, 0 included; a pixel of another one belongs to none
            (on the CPU: an error).
        overlap_thresh: a mask goes that is covered by better ones for more than this share.
        stuff_area_limit: stuff goes that is left fewer pixels.
        score_thresh: a mask's score must be at least this.

    Raises:
        ValueError: shapes or dtypes that do not fit together; a class out of range, on the CPU.
    """
    if bits.ndim != 2 or scores.shape != (len(bits),) or bits.dtype is not torch.int64:
        raise ValueError(
            f"bits {tuple(bits.shape)} {bits.dtype} and scores {tuple(scores.shape)} are not "
            "(R, words) int64, (R,)"
        )
    _check_semantic(semantic, classes)
    if len(bits) and words_of(semantic.numel()) > bits.shape[1]:
        raise ValueError(f"{bits.shape[1]} words are not enough for {semantic.numel()} pixels")
    return PanopticSegments(
        *_operator(bits, scores, semantic, classes, overlap_thresh, stuff_area_limit, score_thresh)
    )


def panoptic_merge_rle(
    counts: Sequence[bytes],
    scores: Tensor,
    semantic: Tensor,
    classes: int,
    *,
    overlap_thresh: float,
    stuff_area_limit: int,
    score_thresh: float,
) -> PanopticSegments:
    """Merge masks that are given as COCO's compressed run lengths, on the CPU.

    Only runs are painted: masks are not decoded. Other arguments and errors are those of
    ``panoptic_merge``; a malformed RLE is a ``ValueError`` too.
    """
    if scores.shape != (len(counts),):
        raise ValueError(f"{len(counts)} masks with scores {tuple(scores.shape)}")
    _check_semantic(semantic, classes)
    order = _confident(scores, score_thresh)
    if native() is None:
        refuse_reference("panoptic_merge_rle")
        tally("panoptic_merge_rle", "reference")
        size = (semantic.shape[0], semantic.shape[1])
        masks = [torch.from_numpy(rle.decode(counts[row], size)).bool() for row in order.tolist()]
        chosen = _merge(masks, semantic, classes, overlap_thresh, stuff_area_limit)
    else:
        tally("panoptic_merge_rle", "c++")
        chosen = _empty(len(order), semantic, classes)
        extension().panoptic_merge_rle(
            [counts[row] for row in order.tolist()],
            _narrow(semantic),
            overlap_thresh,
            stuff_area_limit,
            *chosen,
        )
    return PanopticSegments(chosen[0], _spread(chosen[1], order, len(counts)), chosen[2])


def _check_semantic(semantic: Tensor, classes: int) -> None:
    if semantic.ndim != 2 or semantic.dtype not in (torch.uint8, torch.int32, torch.int64):
        raise ValueError(
            f"semantic {tuple(semantic.shape)} {semantic.dtype} is not (H, W) uint8, int32 or int64"
        )
    if not 1 <= classes <= MOST_CLASSES:
        raise ValueError(f"classes={classes} is not 1 to {MOST_CLASSES}")


def _confident(scores: Tensor, score_thresh: float) -> Tensor:
    """(C,) int64: the masks that score enough, best first."""
    order = scores.argsort(descending=True, stable=True)
    return order[scores[order] >= score_thresh]


def _spread(numbers: Tensor, order: Tensor, count: int) -> Tensor:
    return numbers.new_zeros(count).index_put_((order,), numbers)


def _empty(masks: int, semantic: Tensor, classes: int) -> tuple[Tensor, Tensor, Tensor]:
    return (
        torch.empty(semantic.shape, dtype=torch.int32),
        torch.empty(masks, dtype=torch.int32),
        torch.empty(classes, dtype=torch.int32),
    )


def _narrow(semantic: Tensor) -> Tensor:
    """As the C++ kernels take it."""
    return stored(semantic if semantic.dtype is not torch.int64 else semantic.int())


def _merge(
    masks: Sequence[Tensor],
    semantic: Tensor,
    classes: int,
    overlap_thresh: float,
    stuff_area_limit: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Of masks (H, W) bool, best first, in plain torch."""
    if semantic.numel() and not 0 <= int(semantic.min()) <= int(semantic.max()) < classes:
        raise ValueError(f"semantic holds a class outside 0 to {classes - 1}")
    ids = torch.zeros(semantic.shape, dtype=torch.int32, device=semantic.device)
    numbers = ids.new_zeros(len(masks))
    count = 0
    for row, mask in enumerate(masks):
        free = mask & (ids == 0)
        area, left = int(mask.sum()), int(free.sum())
        if area == 0 or (area - left) / area > overlap_thresh:
            continue
        count += 1
        numbers[row] = count
        ids[free] = count
    areas = torch.bincount(semantic[ids == 0].long(), minlength=classes)
    areas[0] = 0
    enough = (areas > 0) & (areas >= stuff_area_limit)
    stuff = torch.where(enough, count + enough.cumsum(0), 0).int()
    return torch.where(ids == 0, stuff[semantic.long()], ids), numbers, stuff


def reference(
    bits: Tensor,
    scores: Tensor,
    semantic: Tensor,
    classes: int,
    overlap_thresh: float,
    stuff_area_limit: int,
    score_thresh: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """``panoptic_merge`` in plain torch, a mask at a time."""
    order = _confident(scores, score_thresh)
    masks = list(unpack_masks(bits[order], *semantic.shape))
    ids, numbers, stuff = _merge(masks, semantic, classes, overlap_thresh, stuff_area_limit)
    return ids, _spread(numbers, order, len(bits)), stuff


def _native(
    bits: Tensor,
    scores: Tensor,
    semantic: Tensor,
    classes: int,
    overlap_thresh: float,
    stuff_area_limit: int,
    score_thresh: float,
) -> tuple[Tensor, Tensor, Tensor]:
    order = _confident(scores, score_thresh)
    ids, numbers, stuff = _empty(len(order), semantic, classes)
    extension().panoptic_merge(
        stored(bits),
        order,
        _narrow(semantic),
        overlap_thresh,
        stuff_area_limit,
        ids,
        numbers,
        stuff,
    )
    return ids, _spread(numbers, order, len(bits)), stuff


def _cuda(
    bits: Tensor,
    scores: Tensor,
    semantic: Tensor,
    classes: int,
    overlap_thresh: float,
    stuff_area_limit: int,
    score_thresh: float,
) -> tuple[Tensor, Tensor, Tensor]:
    if scores.dtype is not torch.float32:
        return NotImplemented
    masks, (height, width) = len(bits), semantic.shape
    words, stride = -(-height * width // 32), 2 * bits.shape[1]
    packed, labels = halves(bits), stored(semantic.int())
    ids = torch.zeros((height, width), dtype=torch.int32, device=bits.device)
    numbers, areas = ids.new_zeros(masks), ids.new_zeros(classes)
    kept, stuff = ids.new_zeros(masks + 1), ids.new_empty(classes)
    extents = bits.new_empty((masks, 3))
    if masks:
        launch(
            "panoptic_merge.cu",
            "panoptic_extents",
            grid=(masks, 1, 1),
            block=(256, 1, 1),
            arguments=(packed, words, stride, extents),
        )
        launch(
            "panoptic_merge.cu",
            "panoptic_choose",
            grid=(1, 1, 1),
            block=(1024, 1, 1),
            arguments=(
                packed,
                stride,
                extents,
                scores.argsort(descending=True, stable=True),
                stored(scores),
                masks,
                float(score_thresh),
                struct.unpack("<q", struct.pack("<d", overlap_thresh))[0],
                ids.new_zeros(words),
                numbers,
                kept,
            ),
        )
    launch(
        "panoptic_merge.cu",
        "panoptic_paint",
        grid=(-(-width * -(-height // 32) // 128), 1, 1),
        block=(128, 1, 1),
        arguments=(
            packed,
            words,
            stride,
            kept,
            masks,
            labels,
            height,
            width,
            classes,
            ids,
            areas,
        ),
        shared_bytes=4 * classes,
    )
    launch(
        "panoptic_merge.cu",
        "panoptic_number",
        grid=(1, 1, 1),
        block=(32, 1, 1),
        arguments=(areas, kept, masks, classes, stuff_area_limit, stuff),
    )
    launch(
        "panoptic_merge.cu",
        "panoptic_fill",
        grid=(-(-height * width // 1024), 1, 1),
        block=(256, 1, 1),
        arguments=(labels, stuff, classes, height * width, ids),
    )
    return ids, numbers, stuff


def _fake(
    bits: Tensor,
    scores: Tensor,
    semantic: Tensor,
    classes: int,
    overlap_thresh: float,
    stuff_area_limit: int,
    score_thresh: float,
) -> tuple[Tensor, Tensor, Tensor]:
    ids = semantic.new_empty(semantic.shape, dtype=torch.int32)
    return ids, ids.new_empty(len(bits)), ids.new_empty(classes)


_operator = register(
    "panoptic_merge(Tensor bits, Tensor scores, Tensor semantic, int classes, "
    "float overlap_thresh, int stuff_area_limit, float score_thresh) -> (Tensor, Tensor, Tensor)",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)
