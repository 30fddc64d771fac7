"""Soft-NMS, which torch and torchvision do not have."""

from __future__ import annotations

import torch
from torch import Tensor

from benchsuite_kernels import ops
from gpu_sections.operators.case import Case, Inputs, Size, close
from gpu_sections.operators.nms import draw_image


def batch(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
    each = [draw_image(seed + image, size.of(2000, 60), 80) for image in range(2)]
    boxes, scores, groups = (torch.stack(part) for part in zip(*each, strict=True))
    return boxes, scores, groups, size.of(100, 20)


def linear(boxes: Tensor, scores: Tensor, groups: Tensor, limit: int) -> tuple[Tensor, ...]:
    return ops.soft_nms(boxes, scores, groups, limit)


CASES = [
    Case(
        "soft_nms/2x2000x80",
        batch,
        linear,
        compare=close,
        dtypes=(torch.float32,),
        expected=torch.float32,  # nearly equal scores would be taken in another order
    ),
]
