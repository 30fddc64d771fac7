"""RoIAlign over four levels, forward and with its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from kernel_cases.inputs import STRIDES, boxes_of, pyramid_levels
from torch import Tensor
from torchvision.ops import roi_align as torchvision_roi_align

from benchsuite_kernels import ops
from gpu_sections.operators.case import Case, Inputs, Size

SCALES = tuple(1 / stride for stride in STRIDES)


def draw(images: int, count: int, channels_last: bool) -> Any:
    def drawn(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        channels, many = size.of(256, 16), size.of(images * count, 40)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        shapes = [(size.of(800, 224) // s, size.of(1344, 320) // s) for s in STRIDES]
        features = [
            torch.randn(images, channels, *shape, generator=generator)
            .to(dtype)
            .contiguous(memory_format=layout)
            for shape in shapes
        ]
        boxes = boxes_of(many, 60 * images, 0.2, seed)
        image = torch.arange(many) % images
        return features, boxes, image, pyramid_levels(boxes)

    return drawn


def ours(features: Sequence[Tensor], boxes: Tensor, image: Tensor, levels: Tensor) -> Tensor:
    return ops.roi_align(features, boxes, image, levels, SCALES, 7)


def by_level(features: Sequence[Tensor], boxes: Tensor, image: Tensor, levels: Tensor) -> Tensor:
    channels = features[0].shape[1]
    output = torch.empty(len(boxes), channels, 7, 7, device=boxes.device, dtype=features[0].dtype)
    rois = torch.cat([image[:, None], boxes], dim=1).to(features[0].dtype)
    for level, scale in enumerate(SCALES):
        chosen = torch.nonzero(levels == level).squeeze(1)
        output[chosen] = torchvision_roi_align(
            features[level], rois[chosen], 7, scale, 0, aligned=True
        )
    return output


def planar(inputs: Inputs) -> Inputs:
    features, *rest = inputs
    return [feature.contiguous() for feature in features], *rest


def with_gradient(align: Any) -> Any:
    """The gradients of the features."""

    def run(features: Sequence[Tensor], *where: Tensor) -> list[Tensor]:
        leaves = [feature.detach().requires_grad_() for feature in features]
        output = align(leaves, *where)
        return list(torch.autograd.grad(output, leaves, torch.ones_like(output)))

    return run


def case(images: int, count: int, *, channels_last: bool = True, gradient: bool = False) -> Case:
    wrap = with_gradient if gradient else lambda align: align
    suffix = ("" if channels_last else "_planar") + ("_gradient" if gradient else "")
    return Case(
        f"roi_align/{images}x{count}x256x7x7{suffix}",
        draw(images, count, channels_last),
        wrap(ours),
        {"torchvision": wrap(by_level)},
        for_peers=planar,
        dtypes=(torch.float32,) if gradient else (torch.float32, torch.bfloat16),
    )


CASES = [
    case(1, 1000),
    case(8, 1000),
    case(1, 1000, channels_last=False),
    case(1, 512, gradient=True),
]
