"""A deformable 3x3 convolution of ResNet's res4, with a mask: forward, and with the gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torchvision.ops import deform_conv2d as torchvision_deform_conv2d

from benchsuite_kernels import ops
from gpu_sections.operators.case import Case, Inputs, Size, close

Results = tuple[Tensor, ...]


def draw(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
    """Features and weights in ``dtype``, channels last; offsets and masks are float32."""
    generator = torch.Generator().manual_seed(seed)
    images, channels = size.of(2, 1), size.of(256, 40)
    height, width = size.of(50, 5), size.of(84, 6)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    x = random(images, channels, height, width).to(dtype, memory_format=torch.channels_last)
    weight = (random(channels, channels, 3, 3) / (3 * channels**0.5)).to(dtype)
    offset, mask = random(images, 18, height, width), random(images, 9, height, width).sigmoid()
    return x, offset, weight, mask


def in_float32(inputs: Inputs) -> Inputs:
    """For torchvision, which has no bfloat16, and wants planes."""
    floats = pytree.tree_map_only(Tensor, lambda tensor: tensor.float().contiguous(), inputs)
    assert isinstance(floats, tuple)
    return floats


def forward(operator: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def run(x: Tensor, offset: Tensor, weight: Tensor, mask: Tensor) -> Tensor:
        return operator(x, offset, weight, mask=mask, padding=(1, 1))

    return run


def training(operator: Callable[..., Tensor]) -> Callable[..., Results]:
    """The output and the gradients of its sum."""

    def run(*inputs: Tensor) -> Results:
        inputs = tuple(each.detach().requires_grad_() for each in inputs)
        out = forward(operator)(*inputs)
        return (out.detach(), *torch.autograd.grad(out.sum(), inputs))

    return run


CASES = [
    Case(
        "deform_conv2d/2x256x50x84",
        draw,
        forward(ops.deform_conv2d),
        {"torchvision": forward(torchvision_deform_conv2d)},
        for_peers=in_float32,
    ),
    Case(
        "deform_conv2d/2x256x50x84_training",
        draw,
        training(ops.deform_conv2d),
        {"torchvision": training(torchvision_deform_conv2d)},
        for_peers=in_float32,
        compare=lambda mine, other, inputs, tolerance: max(
            close(*pair, inputs, 2 * tolerance) for pair in zip(mine, other, strict=True)
        ),
    ),
]
