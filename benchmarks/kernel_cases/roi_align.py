"""RoIAlign over four levels, beside torchvision's, which is called a level at a time."""

from __future__ import annotations

import torch
from measuring.sides import Case
from torch import Tensor
from torchvision.ops import roi_align as torchvision_roi_align

from benchsuite_kernels import ops
from kernel_cases.inputs import HEIGHT, STRIDES, WIDTH, boxes_of, pyramid_levels


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def pyramid(channels_last: bool) -> Case:
    padded = -(-WIDTH // 32) * 32
    generator = torch.Generator().manual_seed(0)
    planes = [
        torch.randn(1, 256, HEIGHT // stride, padded // stride, generator=generator)
        for stride in STRIDES
    ]
    layout = torch.channels_last if channels_last else torch.contiguous_format
    features = [plane.contiguous(memory_format=layout) for plane in planes]
    boxes = boxes_of(1000, 60, 0.2, seed=1)
    levels, image = pyramid_levels(boxes), torch.zeros(1000, dtype=torch.int64)
    scales = [1 / stride for stride in STRIDES]

    def theirs() -> Tensor:  # in its faster layout, which is the planar one
        output = torch.empty(1000, 256, 7, 7)
        rois = torch.cat([torch.zeros(1000, 1), boxes], dim=1)
        for level, scale in enumerate(scales):
            chosen = torch.nonzero(levels == level).squeeze(1)
            output[chosen] = torchvision_roi_align(
                planes[level], rois[chosen], 7, scale, 0, aligned=True
            )
        return output

    return Case(
        "torchvision",
        lambda: ops.roi_align(features, boxes, image, levels, scales, 7),
        theirs,
        close,
    )


def dispatch() -> Case:
    features, boxes = [torch.ones(1, 1, 4, 4)], torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    zero = torch.zeros(1, dtype=torch.int64)
    rois = torch.cat([torch.zeros(1, 1), boxes], dim=1)
    return Case(
        "torchvision",
        lambda: ops.roi_align(features, boxes, zero, zero, [1.0], 1),
        lambda: torchvision_roi_align(features[0], rois, 1, 1.0, 0, aligned=True),
        close,
    )


CASES = {
    "roi_align/fpn_1000x256x7x7": lambda: pyramid(channels_last=True),
    "roi_align/fpn_1000x256x7x7_planar": lambda: pyramid(channels_last=False),
    "dispatch/roi_align": dispatch,
}
