"""Suppression: identical to the float64 reference, but for pairs at the threshold itself."""

from __future__ import annotations

from typing import Any

import torch
from kernel_cases.inputs import boxes_of
from torch import Tensor
from torchvision.ops import batched_nms as torchvision_batched_nms
from torchvision.ops import box_iou

from benchsuite_kernels import ops
from gpu_sections.operators.case import Case, Inputs, MismatchError, Size

NEAR = 1e-6  # overlaps this close to the threshold may fall to either side


def draw_image(seed: int, count: int, groups: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    boxes = boxes_of(count, 60, 0.2, seed)
    scores = torch.randperm(count, generator=generator).float() / max(count, 1)
    return boxes, scores, torch.randint(groups, (count,), generator=generator)


def batched(count: int, groups: int, threshold: float) -> Case:
    def draw(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
        return (*draw_image(seed, size.of(count, 60), groups), threshold)

    def compare(actual: Any, expected: Any, inputs: Inputs, tolerance: float) -> float:
        return same_kept([actual], [expected], [inputs[0]], [inputs[2]], threshold)

    return Case(
        f"batched_nms/{count}x{groups}",
        draw,
        ops.batched_nms,
        {"torchvision": torchvision_batched_nms},
        compare=compare,
        dtypes=(torch.float32,),
    )


def per_image(images: int, count: int, groups: int, threshold: float, limit: int) -> Case:
    def draw(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
        many = size.of(count, 60)
        each = [draw_image(seed + image, many, groups) for image in range(images)]
        boxes, scores, group = (torch.stack(part) for part in zip(*each, strict=True))
        return boxes, scores, group, threshold, size.of(limit, 40)

    def theirs(
        boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float, limit: int
    ) -> list[Tensor]:
        return [
            torchvision_batched_nms(*image, threshold)[:limit]
            for image in zip(boxes, scores, groups, strict=True)
        ]

    def compare(actual: Any, expected: Any, inputs: Inputs, tolerance: float) -> float:
        kept = [
            [index[: int(number)] for index, number in zip(*each, strict=True)]
            for each in (actual, expected)
        ]
        padding = [bool((row[int(n) :] == -1).all()) for row, n in zip(*actual, strict=True)]
        if not all(padding):
            raise MismatchError("what lies behind the last kept box is not -1")
        return same_kept(*kept, list(inputs[0]), list(inputs[2]), threshold)

    return Case(
        f"nms_per_image/{images}x{count}x{groups}",
        draw,
        ops.nms_per_image,
        {"torchvision": theirs},
        compare=compare,
        dtypes=(torch.float32,),
    )


def same_kept(
    actual: list[Tensor],
    expected: list[Tensor],
    boxes: list[Tensor],
    groups: list[Tensor],
    threshold: float,
) -> float:
    """0 where the same boxes are kept in the same order, in every image.

    An image whose results differ is let pass where two boxes of a group overlap by the threshold,
    within ``NEAR``: their overlap's rounding decides, and everything behind them follows.

    Raises:
        MismatchError: they differ, and no such pair explains it.
    """
    for mine, other, box, group in zip(actual, expected, boxes, groups, strict=True):
        if torch.equal(mine.cpu(), other.cpu()):
            continue
        box, group = box.double().cpu(), group.cpu()
        near = (box_iou(box, box) - threshold).abs() < NEAR
        if not (near & (group[:, None] == group)).any():
            raise MismatchError(f"{len(mine)} boxes are kept, not the same {len(other)}")
    return 0.0


CASES = [
    batched(4741, 5, 0.7),
    batched(1500, 80, 0.5),
    per_image(1, 4741, 5, 0.7, 1000),
    per_image(8, 4741, 5, 0.7, 1000),
]
