"""What a mask head is to predict, from polygons and from bitmaps."""

from __future__ import annotations

import numpy as np
import torch
from kernel_cases.inputs import HEIGHT, WIDTH, boxes_of, outlines_in
from torch import Tensor
from torchvision.ops import roi_align

from benchsuite_kernels import ops
from gpu_sections.operators.case import Case, Inputs, Size, same

CELLS = 28
CORNERS = 40


def outlined(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
    """A polygon for each of so many regions; its points are whole numbers, so exact in float32."""
    regions = size.of(512, 10)
    boxes = boxes_of(regions, regions, 0.1, seed)
    points = torch.from_numpy(np.concatenate(outlines_in(boxes, CORNERS))).round().float()
    return points, torch.arange(regions + 1) * CORNERS, torch.arange(regions + 1), boxes


def drawn(points: Tensor, polygons: Tensor, masks: Tensor, boxes: Tensor) -> Tensor:
    return ops.polygon_targets(points.double(), polygons, masks, masks[:-1], boxes, CELLS)


def bitmaps(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
    """Ellipses, their regions, and which mask each region shows."""
    height, width = size.of(HEIGHT, 60), size.of(WIDTH, 80)
    objects, regions = size.of(20, 3), size.of(128, 9)
    random = np.random.default_rng(seed)
    y, x = np.ogrid[:height, :width]
    masks = np.array(
        [
            ((y / height - a) / c) ** 2 + ((x / width - b) / d) ** 2 < 1
            for a, b, c, d in random.uniform(0.2, 0.6, (objects, 4))
        ]
    )
    boxes = boxes_of(regions, regions, 0.1, seed)
    boxes = boxes * torch.tensor([width / WIDTH, height / HEIGHT] * 2)
    bits = ops.pack_masks(torch.from_numpy(masks))
    sizes = torch.tensor([[height, width]] * objects)
    return bits, sizes, torch.arange(regions) % objects, boxes, height, width


def cropped(
    bits: Tensor, sizes: Tensor, index: Tensor, boxes: Tensor, height: int, width: int
) -> Tensor:
    return ops.crop_packed_masks(bits, sizes, index, boxes, CELLS)


def cropped_by_torchvision(
    masks: Tensor, sizes: Tensor, index: Tensor, boxes: Tensor, height: int, width: int
) -> Tensor:
    rois = torch.cat([index[:, None].float(), boxes], dim=1)
    return roi_align(masks[:, None].float(), rois, CELLS, aligned=True)[:, 0] >= 0.5


def whole(inputs: Inputs) -> Inputs:
    """Masks as (M, H, W) bool in place of packed ones."""
    bits, *rest, height, width = inputs
    return ops.unpack_masks(bits, height, width).contiguous(), *rest, height, width


CASES = [
    Case(
        "polygon_targets/512x28x28",
        outlined,
        drawn,
        compare=same,
        dtypes=(torch.float32,),
        expected=torch.float32,  # regions are float32 by convention, points float64
    ),
    Case(
        "crop_packed_masks/128x28x28",
        bitmaps,
        cropped,
        {"torchvision": cropped_by_torchvision},
        for_peers=whole,
        compare=same,
        dtypes=(torch.float32,),
        expected=torch.float32,
    ),
]
