"""Overlaps of all pairs, and anchors matched to objects without a matrix of them."""

from __future__ import annotations

from typing import Any

import torch
from kernel_cases.inputs import STRIDES, boxes_of
from kernel_cases.match_boxes import anchors
from torch import Tensor
from torchvision.models.detection._utils import Matcher
from torchvision.ops import box_iou

from benchsuite_kernels import ops
from gpu_sections.operators.case import Case, Inputs, Size, close, same


def pairs(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
    return boxes_of(size.of(2000, 40), 60, 0.2, seed), boxes_of(
        size.of(1000, 30), 60, 0.2, seed + 1
    )


def training_batch(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
    """Anchors of a pyramid, and 20 objects in each of 8 images."""
    images, each = size.of(8, 2), size.of(20, 4)
    strides = (*STRIDES, 64) if size.full else (64, 128)
    objects = torch.cat([boxes_of(each, each, 0.0, seed + image) for image in range(images)])
    return anchors(strides), objects, torch.arange(images).repeat_interleave(each), images


def ours(boxes: Tensor, objects: Tensor, image: Tensor, images: int) -> Any:
    return ops.match_shared_boxes(
        boxes,
        objects,
        image,
        images,
        thresholds=(0.3, 0.7),
        labels=(-1, -2, 1),
        low_quality_matches=True,
    )


def by_matrix(boxes: Tensor, objects: Tensor, image: Tensor, images: int) -> list[Tensor]:
    matcher = Matcher(0.7, 0.3, allow_low_quality_matches=True)
    each = len(objects) // images
    return [matcher(box_iou(own, boxes)) for own in objects.split(each)]


CASES = [
    Case(
        "pairwise_iou/2000x1000",
        pairs,
        ops.pairwise_iou,
        {"torchvision": box_iou},
        plain=box_iou,
        compare=close,
        dtypes=(torch.float32,),
    ),
    Case(
        "match_boxes/rpn_8x20",
        training_batch,
        ours,
        {"torchvision": by_matrix},
        compare=same,
        dtypes=(torch.float32,),
        expected=torch.float32,  # which anchors share the highest overlap is a matter of rounding
    ),
]
