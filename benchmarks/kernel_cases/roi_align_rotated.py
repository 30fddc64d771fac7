"""RoIAlign of rotated boxes over four levels, beside its reference in plain torch."""

from __future__ import annotations

import torch
from measuring.sides import Case
from torch import Tensor

from benchsuite_kernels import ops
from benchsuite_kernels.ops.roi_align_rotated import reference
from kernel_cases.inputs import HEIGHT, STRIDES, WIDTH, boxes_of, pyramid_levels


def close(ours: Tensor, theirs: Tensor) -> None:
    # Places some 300 features from the origin are rounded to 3e-5 of a feature.
    torch.testing.assert_close(ours, theirs, rtol=2e-4, atol=2e-4)


def pyramid(channels_last: bool) -> Case:
    padded = -(-WIDTH // 32) * 32
    generator = torch.Generator().manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    features = [
        torch.randn(1, 256, HEIGHT // stride, padded // stride, generator=generator).contiguous(
            memory_format=layout
        )
        for stride in STRIDES
    ]
    corners = boxes_of(1000, 60, 0.2, seed=1)
    angles = torch.rand(1000, 1, generator=generator) * 360 - 180
    low, high = corners[:, :2], corners[:, 2:]
    boxes = torch.cat([(low + high) / 2, high - low, angles], dim=1)
    levels, image = pyramid_levels(corners), torch.zeros(1000, dtype=torch.int64)
    scales = [1 / stride for stride in STRIDES]
    return Case(
        "reference",
        lambda: ops.roi_align_rotated(features, boxes, image, levels, scales, 7),
        lambda: reference(features, boxes, image, levels, scales, 7),
        close,
    )


def dispatch() -> Case:
    features, boxes = [torch.ones(1, 1, 4, 4)], torch.tensor([[1.0, 1.0, 2.0, 2.0, 30.0]])
    zero = torch.zeros(1, dtype=torch.int64)
    return Case(
        "reference",
        lambda: ops.roi_align_rotated(features, boxes, zero, zero, [1.0], 1),
        lambda: reference(features, boxes, zero, zero, [1.0], 1),
        close,
    )


CASES = {
    "roi_align_rotated/fpn_1000x256x7x7": lambda: pyramid(channels_last=True),
    "roi_align_rotated/fpn_1000x256x7x7_planar": lambda: pyramid(channels_last=False),
    "dispatch/roi_align_rotated": dispatch,
}
