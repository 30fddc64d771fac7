"""The panoptic map of an image, beside Detectron2's way: whole masks, one after the other."""

from __future__ import annotations

import numpy as np
import torch
from measuring.sides import Case
from pycocotools import mask as pycocotools_mask
from torch import Tensor

from benchsuite_kernels import ops
from kernel_cases.inputs import HEIGHT, PANOPTIC_CLASSES, PANOPTIC_LIMITS, WIDTH, same
from kernel_cases.paste_to_rle import inputs


def merged(count: int, height: int, width: int) -> Case:
    masks, boxes = inputs(count)
    sizes = [(height, width)]
    counts = ops.paste_masks_to_rle(masks, boxes, torch.zeros(count, dtype=torch.int64), sizes)
    random = np.random.default_rng(10)
    scores = torch.from_numpy(random.uniform(0.3, 1, count).astype(np.float32))
    coarse = random.integers(0, PANOPTIC_CLASSES, (8, 12))
    semantic = torch.from_numpy(
        np.kron(coarse, np.ones((-(-height // 8), -(-width // 12))))[:height, :width].astype(
            np.uint8
        )
    ).contiguous()

    def ours() -> Tensor:
        return ops.panoptic_merge_rle(
            counts, scores, semantic, PANOPTIC_CLASSES, **PANOPTIC_LIMITS
        ).ids

    def theirs() -> Tensor:
        ids = torch.zeros((height, width), dtype=torch.int32)
        number = 0
        for row in scores.argsort(descending=True, stable=True).tolist():
            if scores[row] < PANOPTIC_LIMITS["score_thresh"]:
                break
            encoded = {"size": [height, width], "counts": counts[row]}
            mask = torch.from_numpy(pycocotools_mask.decode(encoded)).bool()
            area = int(mask.sum())
            if area == 0:
                continue
            covered = int((mask & (ids > 0)).sum())
            if covered / area > PANOPTIC_LIMITS["overlap_thresh"]:
                continue
            number += 1
            ids[mask & (ids == 0)] = number
        for label in torch.unique(semantic).tolist():
            free = (semantic == label) & (ids == 0)
            if label == 0 or int(free.sum()) < max(PANOPTIC_LIMITS["stuff_area_limit"], 1):
                continue
            number += 1
            ids[free] = number
        return ids

    return Case(
        "torch",
        lambda: (
            ops.panoptic_merge_rle(
                counts, scores, semantic, PANOPTIC_CLASSES, **PANOPTIC_LIMITS
            ).ids
        ),
        theirs,
        same,
    )


CASES = {
    "panoptic_merge/100": lambda: merged(100, HEIGHT, WIDTH),
    "dispatch/panoptic_merge": lambda: merged(0, 1, 1),
}
