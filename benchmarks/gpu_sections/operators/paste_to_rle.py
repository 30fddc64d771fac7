"""Masks of 28 x 28 to RLE of the whole image."""

from __future__ import annotations

from typing import Any

import torch
from kernel_cases.inputs import HEIGHT, WIDTH, boxes_of
from torch import Tensor
from torchvision.models.detection.roi_heads import paste_masks_in_image

from benchsuite_kernels import ops
from benchsuite_kernels.columns import rle
from gpu_sections.operators.case import Case, Inputs, MismatchError, Size

FLIPPED = 1e-5  # share of all pixels whose value may round to the threshold's other side


def draw(count: int) -> Any:
    def drawn(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        many = size.of(count, 5)
        at = torch.linspace(-1, 1, 28)
        logits = 10 * (0.8 - torch.hypot(at[:, None], at))
        logits = logits + 2 * torch.randn(many, 28, 28, generator=generator)
        height, width = size.of(HEIGHT, 100), size.of(WIDTH, 140)
        boxes = boxes_of(many, many, 0.0, seed) * torch.tensor([width / WIDTH, height / HEIGHT] * 2)
        return logits.sigmoid(), boxes, torch.zeros(many, dtype=torch.int64), [(height, width)]

    return drawn


def whole_masks(masks: Tensor, boxes: Tensor, image: Tensor, sizes: list[Any]) -> Tensor:
    """Bool masks on the host: what an encoder would need next, which is not counted."""
    return (paste_masks_in_image(masks[:, None], boxes, sizes[0])[:, 0] >= 0.5).cpu()


def compare(actual: Any, expected: Any, inputs: Inputs, tolerance: float) -> float:
    """The share of pixels that differ."""
    ((height, width),) = inputs[3]
    if len(actual) != len(expected):
        raise MismatchError(f"{len(actual)} masks in place of {len(expected)}")
    flipped = 0
    for mine, other in zip(actual, expected, strict=True):
        if mine != other:
            masks = [rle.decode(counts, (height, width)) for counts in (mine, other)]
            flipped += int((masks[0] != masks[1]).sum())
    share = flipped / max(len(expected) * height * width, 1)
    if share > FLIPPED:
        raise MismatchError(f"{flipped} pixels differ")
    return share


def packed_bits(inputs: Inputs, output: Any) -> int:
    """The masks, and a bit for each pixel."""
    masks, _, _, ((height, width),) = inputs
    return masks.numel() * masks.element_size() + len(masks) * height * width // 8


CASES = [
    Case(
        f"paste_to_rle/{count}",
        draw(count),
        ops.paste_masks_to_rle,
        {"torchvision, masks to the host": whole_masks},
        compare=compare,
        traffic=packed_bits,
        dtypes=(torch.float32,),
    )
    for count in (100, 800)
]
