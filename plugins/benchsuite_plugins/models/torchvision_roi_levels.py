"""Which level of a pyramid a region is read from, to the conventions of torchvision.

Levels have their nominal strides. torchvision guesses them from the maps and the first batch's
images before padding, and keeps the guess: the same unless the padding makes those images more than
1.4 times as high.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchsuite_plugins.models.boxes import box_area
from benchsuite_plugins.models.roi_pooler import CANONICAL_LEVEL, CANONICAL_SIZE


def assign_torchvision_levels(boxes: Tensor, finest_level: int, level_count: int) -> Tensor:
    """The rule of ``roi_pooler.assign_levels``, but that a box a millionth of a level below the
    border counts as above it.

    Args:
        boxes: (R, 4), xyxy, input pixels.
        finest_level: K of the first level, ``pK``.

    Returns:
        (R,) int64, 0 for the first level.
    """
    size = box_area(boxes).sqrt()
    level = torch.floor(CANONICAL_LEVEL + torch.log2(size / CANONICAL_SIZE) + 1e-6)
    return (level - finest_level).clamp(0, level_count - 1).long()
