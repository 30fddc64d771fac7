"""Mask targets of regions from polygons, beside pycocotools, which draws a region at a time."""

from __future__ import annotations

import numpy as np
import torch
from measuring.sides import Case
from pycocotools import mask as pycocotools_mask
from torch import Tensor

from benchsuite_kernels import ops
from kernel_cases.inputs import boxes_of, outlines_in, same


def targets(regions: int, size: int) -> Case:
    boxes = boxes_of(regions, max(regions, 1), 0.1, seed=7)
    polygons = outlines_in(boxes, 40)
    points = torch.from_numpy(np.concatenate([np.zeros((0, 2)), *polygons]))
    starts = torch.arange(regions + 1) * 40
    matched = torch.arange(regions)

    def theirs() -> Tensor:
        drawn = []
        for polygon, box in zip(polygons, boxes.numpy(), strict=True):
            scale = size / np.maximum(box[2:] - box[:2], np.float32(0.1))
            moved = [((polygon - box[:2]) * scale).ravel()]
            lengths = pycocotools_mask.frPyObjects([moved[0].tolist()], size, size)
            drawn.append(pycocotools_mask.decode(pycocotools_mask.merge(lengths)))
        shape = (regions, size, size)
        return torch.from_numpy(np.array(drawn, np.uint8).reshape(shape)).bool()

    return Case(
        "pycocotools",
        lambda: ops.polygon_targets(
            points, starts, torch.arange(regions + 1), matched, boxes, size
        ),
        theirs,
        same,
    )


CASES = {
    "polygon_targets/512x28x28": lambda: targets(512, 28),
    "dispatch/polygon_targets": lambda: targets(1, 1),
}
