"""The class of every pixel, beside torch's resizes of all logits to full size."""

from __future__ import annotations

import torch
from measuring.sides import Case
from torch import Tensor
from torch.nn.functional import interpolate

from benchsuite_kernels import ops
from kernel_cases.inputs import HEIGHT, WIDTH

CLASSES, STRIDE = 54, 4  # COCO's stuff and all things as one


def logits_of(cells: tuple[int, int]) -> Tensor:
    """Regions of some 40 cells, in which one class leads by far, and noise."""
    generator = torch.Generator().manual_seed(8)
    coarse = torch.randn((1, CLASSES, cells[0] // 40 + 2, cells[1] // 40 + 2), generator=generator)
    smooth = interpolate(coarse, cells, mode="bicubic", align_corners=False)[0]
    return 6 * smooth + 0.3 * torch.randn((CLASSES, *cells), generator=generator)


def beside_torch(original: tuple[int, int], classes_last: bool = False) -> Case:
    cells = (-(-HEIGHT // 32) * 32 // STRIDE, -(-WIDTH // 32) * 32 // STRIDE)
    return case(logits_of(cells), (HEIGHT, WIDTH), original, classes_last)


def case(
    logits: Tensor, size: tuple[int, int], original: tuple[int, int], classes_last: bool
) -> Case:
    grid = logits.permute(1, 2, 0).contiguous().permute(2, 0, 1) if classes_last else logits

    def theirs() -> Tensor:
        padded = interpolate(
            logits[None], scale_factor=STRIDE, mode="bilinear", align_corners=False
        )
        cut = padded[..., : size[0], : size[1]]
        resized = interpolate(cut, original, mode="bilinear", align_corners=False)
        return resized[0].argmax(dim=0).to(torch.uint8)

    def check(ours: Tensor, theirs: Tensor) -> None:
        # Where two classes are within rounding either may be chosen.
        assert (ours != theirs).sum() <= 1e-6 * theirs.numel() + 1

    return Case("torch", lambda: ops.semantic_argmax(grid, STRIDE, size, original), theirs, check)


CASES = {
    "semantic_argmax/480x640": lambda: beside_torch((480, 640)),
    "semantic_argmax/480x640_classes_last": lambda: beside_torch((480, 640), classes_last=True),
    "semantic_argmax/800x1333": lambda: beside_torch((HEIGHT, WIDTH)),
    "dispatch/semantic_argmax": lambda: case(torch.ones(1, 1, 1), (1, 1), (1, 1), False),
}
