"""Anchors of a feature pyramid matched to 20 objects, beside torchvision's matrix and matcher."""

from __future__ import annotations

import torch
from measuring.sides import Case
from torch import Tensor
from torchvision.models.detection._utils import Matcher
from torchvision.ops import box_iou

from benchsuite_kernels import ops
from kernel_cases.inputs import HEIGHT, STRIDES, WIDTH, boxes_of, same


def anchors(strides: tuple[int, ...]) -> Tensor:
    """Three shapes a cell, eight strides wide."""
    levels = []
    for stride in strides:
        rows, columns = (torch.arange(0, side, stride).float() for side in (HEIGHT, WIDTH))
        centres = torch.cartesian_prod(rows, columns).flip(1).repeat(1, 2)
        for ratio in (0.5, 1.0, 2.0):
            width, height = 8 * stride / ratio**0.5, 8 * stride * ratio**0.5
            levels.append(centres + torch.tensor([-width, -height, width, height]) / 2)
    return torch.cat(levels)


def matching(strides: tuple[int, ...], count: int) -> Case:
    boxes, objects = anchors(strides), boxes_of(count, count, 0.0, seed=7)
    object_image = torch.zeros(count, dtype=torch.int64)
    matcher = Matcher(0.7, 0.3, allow_low_quality_matches=True)

    def ours() -> Tensor:
        matched, labels = ops.match_shared_boxes(
            boxes,
            objects,
            object_image,
            1,
            thresholds=(0.3, 0.7),
            labels=(-1, -2, 1),
            low_quality_matches=True,
        )
        return matched[0].where(labels[0] == 1, labels[0])

    return Case("torchvision", ours, lambda: matcher(box_iou(objects, boxes)), same)


CASES = {
    "match_boxes/rpn_20": lambda: matching((*STRIDES, 64), 20),
    "dispatch/match_boxes": lambda: matching((512,), 1),
}
