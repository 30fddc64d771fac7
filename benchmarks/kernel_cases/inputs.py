"""Inputs of the size that detectors with a feature pyramid meet on an 800 x 1333 image."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

HEIGHT, WIDTH = 800, 1333
STRIDES = (4, 8, 16, 32)
PANOPTIC_CLASSES = 54
PANOPTIC_LIMITS = {"overlap_thresh": 0.5, "stuff_area_limit": 4096, "score_thresh": 0.5}


def boxes_of(count: int, objects: int, jitter: float, seed: int) -> Tensor:
    """(count, 4) boxes inside the image, scattered around so many objects of all sizes."""
    random = np.random.default_rng(seed)
    size = np.exp(random.uniform(np.log(16), np.log(600), (objects, 2)))
    centre = random.uniform(0, (WIDTH, HEIGHT), (objects, 2))
    chosen = random.integers(0, objects, count)
    size, centre = size[chosen], centre[chosen]
    centre = centre + random.normal(0, jitter, (count, 2)) * size
    size = size * np.exp(random.normal(0, jitter, (count, 2)))
    boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
    boxes[:, 0::2] = boxes[:, 0::2].clip(0, WIDTH)
    boxes[:, 1::2] = boxes[:, 1::2].clip(0, HEIGHT)
    return torch.from_numpy(boxes.astype(np.float32))


def outlines_in(boxes: Tensor, corners: int) -> list[NDArray[np.float64]]:
    """A ragged round polygon in each box."""
    random = np.random.default_rng(6)
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    around = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    half = (boxes[:, 2:] - boxes[:, :2]).numpy().astype(np.float64) / 2
    centre = boxes[:, :2].numpy() + half
    reach = random.uniform(0.6, 1.0, (len(boxes), corners, 1))
    return list(centre[:, None] + reach * around * half[:, None])


def pyramid_levels(boxes: Tensor) -> Tensor:
    """The FPN paper's equation 1, from level 2 (stride 4) to 5."""
    side = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sqrt()
    return (torch.floor(4 + torch.log2(side / 224 + 1e-8)).clamp(2, 5) - 2).long()


def same(ours: Any, theirs: Any) -> None:
    """Identical tensors."""
    assert torch.equal(ours, theirs)
