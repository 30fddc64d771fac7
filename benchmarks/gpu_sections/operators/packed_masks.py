"""Packed masks of an image: overlaps of all pairs, and the panoptic map."""

from __future__ import annotations

from typing import Any

import torch
from kernel_cases.inputs import PANOPTIC_CLASSES, PANOPTIC_LIMITS
from torch import Tensor

from benchsuite_kernels import ops
from gpu_sections.operators.case import Case, Inputs, Size, same
from gpu_sections.operators.paste_to_rle import draw


def pasted(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
    """Masks, packed, and the image's height and width."""
    inputs = draw(100)(seed, dtype, size)
    ((height, width),) = inputs[3]
    return ops.paste_masks_to_packed(*inputs), height, width


def overlaps(bits: Tensor, height: int, width: int) -> Tensor:
    return ops.packed_iou(bits, bits)


def overlaps_by_product(masks: Tensor, height: int, width: int) -> Tensor:
    flat = masks.flatten(1).float()  # sums of up to 2^24 pixels are exact
    common = flat @ flat.T
    area = flat.sum(dim=1)
    union = area[:, None] + area - common
    return torch.where(common > 0, common.double() / union.double(), 0.0)


def whole(inputs: Inputs) -> Inputs:
    """Masks as (R, H, W) bool in place of packed ones."""
    bits, height, width, *rest = inputs
    return ops.unpack_masks(bits, height, width).contiguous(), height, width, *rest


def scene(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
    """Masks, their scores, and a semantic map of blocks."""
    bits, height, width = pasted(seed, dtype, size)
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(len(bits), generator=generator)
    coarse = torch.randint(0, PANOPTIC_CLASSES, (8, 12), generator=generator, dtype=torch.uint8)
    blocks = coarse.repeat_interleave(-(-height // 8), 0).repeat_interleave(-(-width // 12), 1)
    return bits, height, width, scores, blocks[:height, :width].contiguous()


def merged(bits: Tensor, height: int, width: int, scores: Tensor, semantic: Tensor) -> Any:
    return ops.panoptic_merge(bits, scores, semantic, PANOPTIC_CLASSES, **PANOPTIC_LIMITS).ids


def merged_one_by_one(
    masks: Tensor, height: int, width: int, scores: Tensor, semantic: Tensor
) -> Any:
    ids = torch.zeros((height, width), dtype=torch.int32, device=masks.device)
    number = 0
    for row in scores.argsort(descending=True, stable=True).tolist():
        area = int(masks[row].sum())
        if scores[row] < PANOPTIC_LIMITS["score_thresh"] or area == 0:
            continue
        free = masks[row] & (ids == 0)
        if (area - int(free.sum())) / area > PANOPTIC_LIMITS["overlap_thresh"]:
            continue
        number += 1
        ids[free] = number
    for label in torch.unique(semantic).tolist():
        free = (semantic == label) & (ids == 0)
        if label == 0 or int(free.sum()) < PANOPTIC_LIMITS["stuff_area_limit"]:
            continue
        number += 1
        ids[free] = number
    return ids


CASES = [
    Case(
        "packed_iou/100x100",
        pasted,
        overlaps,
        {"torch, a product of floats": overlaps_by_product},
        for_peers=whole,
        compare=same,
        dtypes=(torch.float32,),
        expected=torch.float32,
    ),
    Case(
        "panoptic_merge/100",
        scene,
        merged,
        {"torch, one by one": merged_one_by_one},
        for_peers=whole,
        compare=same,
        dtypes=(torch.float32,),
        expected=torch.float32,
    ),
]
