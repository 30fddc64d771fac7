"""A deformable 3x3 convolution of ResNet's res4, forward and backward, beside torchvision's."""

from __future__ import annotations

from collections.abc import Callable

import torch
from measuring.sides import Case
from torch import Tensor
from torchvision.ops import deform_conv2d as torchvision_deform_conv2d

from benchsuite_kernels import ops

Results = tuple[Tensor, ...]


def convolution(channels: int, height: int, width: int, *, masked: bool, backward: bool) -> Case:
    generator = torch.Generator().manual_seed(8)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).requires_grad_(backward)

    x, weight = random(1, channels, height, width), random(channels, channels, 3, 3)
    offset = random(1, 18, height, width)
    mask = random(1, 9, height, width) if masked else None
    tensors = [each for each in (x, offset, weight, mask) if each is not None]
    upstream = torch.randn((1, channels, height, width), generator=generator)

    def side(operator: Callable[..., Tensor]) -> Callable[[], Results]:
        def run() -> Results:
            out = operator(x, offset, weight, mask=mask, padding=(1, 1))
            if not backward:
                return (out,)
            return (out.detach(), *torch.autograd.grad(out, tensors, upstream))

        return run

    def check(ours: Results, theirs: Results) -> None:
        for one, other in zip(ours, theirs, strict=True):
            scale = other.abs().max().item()
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * scale)

    return Case("torchvision", side(ops.deform_conv2d), side(torchvision_deform_conv2d), check)


CASES = {
    "deform_conv2d/256x50x84": lambda: convolution(256, 50, 84, masked=False, backward=False),
    "deform_conv2d/256x50x84_modulated_training": lambda: convolution(
        256, 50, 84, masked=True, backward=True
    ),
    "dispatch/deform_conv2d": lambda: convolution(1, 1, 1, masked=False, backward=False),
}
