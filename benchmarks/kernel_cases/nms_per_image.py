"""Suppression of a batch of images, beside torchvision's, an image at a time."""

from __future__ import annotations

import numpy as np
import torch
from measuring.sides import Case
from torch import Tensor
from torchvision.ops import batched_nms as torchvision_batched_nms

from benchsuite_kernels import ops
from kernel_cases.inputs import boxes_of


def batch(images: int, count: int, groups: int, threshold: float, limit: int) -> Case:
    boxes = torch.stack([boxes_of(count, 60, 0.2, seed=20 + image) for image in range(images)])
    random = np.random.default_rng(3)
    ranks = np.stack([random.permutation(count) for _ in range(images)])
    scores = torch.from_numpy(ranks.astype(np.float32) / count)
    group = torch.from_numpy(random.integers(0, groups, (images, count)))

    def theirs() -> list[Tensor]:
        return [
            torchvision_batched_nms(boxes[image], scores[image], group[image], threshold)[:limit]
            for image in range(images)
        ]

    def check(ours: tuple[Tensor, Tensor], theirs: list[Tensor]) -> None:
        for row, count, kept in zip(*ours, theirs, strict=True):
            assert torch.equal(row[: int(count)], kept)

    return Case(
        "torchvision",
        lambda: ops.nms_per_image(boxes, scores, group, threshold, limit),
        theirs,
        check,
    )


CASES = {
    "nms_per_image/2x4741x5": lambda: batch(2, 4741, 5, 0.7, 1000),
    "nms_per_image/2x5000x80": lambda: batch(2, 5000, 80, 0.5, 100),
    "dispatch/nms_per_image": lambda: batch(1, 1, 1, 0.5, 1),
}
