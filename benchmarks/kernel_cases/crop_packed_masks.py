"""Mask targets of regions from bitmaps, beside torchvision's RoIAlign of them as floats."""

from __future__ import annotations

import numpy as np
import torch
from measuring.sides import Case
from torch import Tensor
from torchvision.ops import roi_align

from benchsuite_kernels import ops
from kernel_cases.inputs import HEIGHT, WIDTH, boxes_of, same


def crops(objects: int, regions: int, size: int, height: int, width: int) -> Case:
    random = np.random.default_rng(8)
    y, x = np.ogrid[:height, :width]
    centre = random.uniform(0.2, 0.8, (objects, 2)) * (height, width)
    radius = random.uniform(0.05, 0.4, (objects, 2)) * (height, width)
    masks = torch.from_numpy(
        np.array(
            [
                ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1
                for (cy, cx), (ry, rx) in zip(centre, radius, strict=True)
            ]
        )
    )
    bits, sizes = ops.pack_masks(masks), torch.tensor([[height, width]] * objects)
    boxes, index = boxes_of(regions, regions, 0.1, seed=9), torch.arange(regions) % objects

    def theirs() -> Tensor:
        rois = torch.cat([index[:, None].float(), boxes], dim=1)
        return roi_align(masks[:, None].float(), rois, size, aligned=True)[:, 0] >= 0.5

    return Case(
        "torchvision",
        lambda: ops.crop_packed_masks(bits, sizes, index, boxes, size),
        theirs,
        same,
    )


CASES = {
    "crop_packed_masks/128x28x28": lambda: crops(20, 128, 28, HEIGHT, WIDTH),
    "dispatch/crop_packed_masks": lambda: crops(1, 1, 1, 4, 4),
}
