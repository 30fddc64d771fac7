"""Rotated boxes: their overlaps, and suppression; torch and torchvision have nothing like them."""

from __future__ import annotations

import torch
from kernel_cases.inputs import boxes_of
from torch import Tensor

from benchsuite_kernels import ops
from gpu_sections.operators.case import Case, Inputs, Size, same


def rotated_boxes(count: int, seed: int) -> Tensor:
    """(count, 5) boxes around a few objects, each turned by about as much as its object is."""
    x1, y1, x2, y2 = boxes_of(count, 60, 0.2, seed).unbind(1)
    generator = torch.Generator().manual_seed(seed)
    angle = 20 * torch.randn(count, generator=generator)
    return torch.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, angle], dim=1)


def pairs(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
    return rotated_boxes(size.of(2000, 40), seed), rotated_boxes(size.of(1000, 30), seed + 1)


def image(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
    count = size.of(2000, 60)
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randperm(count, generator=generator)[None] / count
    groups = torch.randint(15, (1, count), generator=generator)
    return rotated_boxes(count, seed)[None], scores, groups, 0.3, size.of(300, 40)


CASES = [
    Case(
        "pairwise_iou_rotated/2000x1000", pairs, ops.pairwise_iou_rotated, dtypes=(torch.float32,)
    ),
    Case(
        "nms_rotated_per_image/2000x15",
        image,
        ops.nms_rotated_per_image,
        compare=same,
        dtypes=(torch.float32,),
        expected=torch.float32,  # equal but for the float32 that an overlap is rounded to
    ),
]
