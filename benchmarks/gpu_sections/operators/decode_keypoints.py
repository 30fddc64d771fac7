"""Keypoints from heat maps: bicubic upsampling to the box's size, and the highest pixel."""

from __future__ import annotations

from typing import Any

import torch
from kernel_cases.decode_keypoints import SIDE, heat_maps
from kernel_cases.inputs import boxes_of
from torchvision.models.detection.roi_heads import heatmaps_to_keypoints

from benchsuite_kernels import ops
from gpu_sections.operators.case import Case, Inputs, MismatchError, Size

TIE = 1e-4  # logits this close to the highest may be taken for it


def draw(count: int) -> Any:
    def drawn(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
        many, keypoints = size.of(count, 3), size.of(17, 2)
        boxes = boxes_of(many, many, 0.0, seed)
        if not size.full:
            boxes = boxes / 8
        return heat_maps(many, keypoints), boxes

    return drawn


def compare(actual: Any, expected: Any, inputs: Inputs, tolerance: float) -> float:
    """The largest error of a logit; positions may lie elsewhere where another pixel is as high."""
    mine, other = (each.logits.double().cpu() for each in (actual, expected))
    error = float((mine - other).abs().max())
    if error > TIE:
        raise MismatchError(f"logits are off by {error:.2g}")
    away = (actual.positions.double().cpu() - expected.positions.double()).abs().amax(dim=-1)
    pixel = (inputs[1][:, 2:] - inputs[1][:, :2]).clamp(min=1).amax(dim=1) / SIDE
    if (away > pixel[:, None]).float().mean() > 0.01:
        raise MismatchError(f"positions are off by up to {float(away.max()):.2g} pixels")
    return error


CASES = [
    Case(
        f"decode_keypoints/{count}x17",
        draw(count),
        ops.decode_keypoints,
        {"torchvision": heatmaps_to_keypoints},
        compare=compare,
        dtypes=(torch.float32,),
    )
    for count in (100, 800)
]
