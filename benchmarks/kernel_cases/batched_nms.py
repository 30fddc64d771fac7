"""Suppression within groups, beside torchvision's, which must keep the same boxes."""

from __future__ import annotations

import numpy as np
import torch
from measuring.sides import Case
from torchvision.ops import batched_nms as torchvision_batched_nms

from benchsuite_kernels import ops
from kernel_cases.inputs import boxes_of, same


def batched(count: int, groups: int, threshold: float) -> Case:
    boxes = boxes_of(count, 60, 0.2, seed=2)
    random = np.random.default_rng(3)
    scores = torch.from_numpy(random.permutation(count).astype(np.float32) / count)
    group = torch.from_numpy(random.integers(0, groups, count))
    return Case(
        "torchvision",
        lambda: ops.batched_nms(boxes, scores, group, threshold),
        lambda: torchvision_batched_nms(boxes, scores, group, threshold),
        same,
    )


CASES = {
    "batched_nms/4741x5": lambda: batched(4741, 5, 0.7),
    "batched_nms/1500x80": lambda: batched(1500, 80, 0.5),
    "batched_nms/5000x1": lambda: batched(5000, 1, 0.5),
    "dispatch/batched_nms": lambda: batched(1, 1, 0.5),
}
