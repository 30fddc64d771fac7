"""Images to a batch, and the class of every pixel from a semantic head's logits."""

from __future__ import annotations

from typing import Any

import torch
from kernel_cases.resize_normalise_pad import MEAN, STD
from kernel_cases.semantic_argmax import STRIDE, logits_of
from torch import Tensor
from torch.nn.functional import interpolate, pad

from benchsuite_kernels import ops
from gpu_sections.operators.case import Case, Inputs, MismatchError, Size, same

FLIPPED = 1e-5  # share of all pixels where two classes may be within rounding


def photographs(images: int) -> Any:
    def drawn(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        shape = (size.of(480, 30), size.of(640, 40), 3)
        pixels = [
            torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
            for _ in range(images)
        ]
        wanted = (size.of(800, 50), size.of(1067, 67))
        padded = tuple(-(-side // 32) * 32 for side in wanted)
        return pixels, [wanted] * images, padded

    return drawn


def our_batch(pixels: list[Tensor], sizes: list[Any], padded: tuple[int, int]) -> Tensor:
    return ops.resize_normalise_pad(
        pixels, sizes, padded, mean=MEAN, std=STD, reverse_channels=True, channels_last=False
    )


def batch_by_torch(pixels: list[Tensor], sizes: list[Any], padded: tuple[int, int]) -> Tensor:
    mean, std = (torch.tensor(each, device=pixels[0].device).view(3, 1, 1) for each in (MEAN, STD))
    batch = []
    for image, (height, width) in zip(pixels, sizes, strict=True):
        planes = image.permute(2, 0, 1).flip(0)[None].float()
        resized = interpolate(planes, (height, width), mode="bilinear", antialias=True)[0]
        normal = (resized.round() - mean) / std
        batch.append(pad(normal, (0, padded[1] - width, 0, padded[0] - height)))
    return torch.stack(batch)


def semantic(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
    cells = (size.of(200, 13), size.of(336, 16))
    input_size = (size.of(800, 50), size.of(1333, 62))
    return logits_of(cells).to(dtype), STRIDE, input_size, (size.of(480, 30), size.of(640, 41))


def classes_by_torch(
    logits: Tensor, stride: int, size: tuple[int, int], original: tuple[int, int]
) -> Tensor:
    whole = interpolate(logits[None], scale_factor=stride, mode="bilinear")
    cut = whole[..., : size[0], : size[1]]
    return interpolate(cut, original, mode="bilinear")[0].argmax(dim=0).to(torch.uint8)


def nearly_same(actual: Any, expected: Any, inputs: Inputs, tolerance: float) -> float:
    """The share of pixels that differ."""
    share = float((actual.cpu() != expected).double().mean())
    if actual.shape != expected.shape or share > FLIPPED:
        raise MismatchError(f"{share:.2g} of the pixels differ")
    return share


CASES = [
    *(
        Case(
            f"resize_normalise_pad/{images}x480x640",
            photographs(images),
            our_batch,
            {"torch, antialiased": batch_by_torch},
            compare=same,
            dtypes=(torch.float32,),
            expected=torch.float32,  # the reference rounds as Pillow does, which is the definition
        )
        for images in (1, 8)
    ),
    Case(
        "semantic_argmax/200x336x54",
        semantic,
        ops.semantic_argmax,
        {"torch": classes_by_torch},
        plain=classes_by_torch,
        compare=nearly_same,
    ),
]
