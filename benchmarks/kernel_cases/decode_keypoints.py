"""Keypoints from heat maps, beside torchvision's, which stretches a box's maps at a time."""

from __future__ import annotations

import torch
from measuring.sides import Case
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.models.detection.roi_heads import heatmaps_to_keypoints

from benchsuite_kernels import ops
from kernel_cases.inputs import boxes_of

SIDE = 56


def heat_maps(count: int, keypoints: int) -> Tensor:
    """Maps as a head gives them: one broad peak each, over a background that is upsampled twice."""
    generator = torch.Generator().manual_seed(7)
    coarse = 3 * torch.randn((count, keypoints, 14, 14), generator=generator)
    background = interpolate(coarse, (28, 28), mode="bicubic", align_corners=False)
    background = interpolate(background, (SIDE, SIDE), mode="bilinear", align_corners=False) - 10
    y, x = SIDE * torch.rand((2, count, keypoints, 1), generator=generator)
    at = torch.arange(SIDE)
    away = ((at - y) ** 2)[..., None] + ((at - x) ** 2)[..., None, :]
    return background + 15 * torch.exp(-away / 30)


def beside_torchvision(count: int, keypoints: int) -> Case:
    maps, boxes = heat_maps(count, keypoints), boxes_of(count, count, 0.0, seed=6)

    def check(ours: ops.KeypointPeaks, theirs: tuple[Tensor, Tensor]) -> None:
        pixel = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1).max() / SIDE
        positions, logits = theirs[0].view(count, keypoints, 3)[..., :2], theirs[1]
        torch.testing.assert_close(ours.logits, logits.view(count, keypoints), rtol=1e-4, atol=1e-4)
        # A plateau of nearly equal pixels: rounding decides which is the highest.
        torch.testing.assert_close(ours.positions, positions, rtol=0, atol=float(pixel))

    return Case(
        "torchvision",
        lambda: ops.decode_keypoints(maps, boxes),
        lambda: heatmaps_to_keypoints(maps, boxes),
        check,
    )


CASES = {
    "decode_keypoints/100x17": lambda: beside_torchvision(100, 17),
    "decode_keypoints/10x17": lambda: beside_torchvision(10, 17),
    "dispatch/decode_keypoints": lambda: beside_torchvision(1, 1),
}
