"""Overlaps of every box with every other, beside torchvision's."""

from __future__ import annotations

import torch
from measuring.sides import Case
from torch import Tensor
from torchvision.ops import box_iou

from benchsuite_kernels import ops
from kernel_cases.inputs import boxes_of


def pairs(count: int, others: int) -> Case:
    first, second = boxes_of(count, 60, 0.2, seed=8), boxes_of(others, 60, 0.2, seed=9)

    def check(ours: Tensor, theirs: Tensor) -> None:
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)

    return Case(
        "torchvision",
        lambda: ops.pairwise_iou(first, second),
        lambda: box_iou(first, second),
        check,
    )


CASES = {
    "pairwise_iou/30x2000": lambda: pairs(30, 2000),
    "pairwise_iou/1000x1000": lambda: pairs(1000, 1000),
    "dispatch/pairwise_iou": lambda: pairs(1, 1),
}
