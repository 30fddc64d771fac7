"""Suppression of a batch of images by the kernels of ``nms.cu``."""

from __future__ import annotations

from math import inf

import numpy as np
import torch
from torch import Tensor

from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.ops.tensors import stored

SOURCE = "nms.cu"

# As in nms.cu.
WORD = 64
TILE = 1024
KEEP_THREADS = 256

CHUNK = 8192
"""Candidates whose overlaps with each other are held at once: 8 MiB an image."""


def keep_best_per_image(
    kind: str, boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float, limit: int
) -> tuple[Tensor, Tensor]:
    """Index and counts as ``nms_per_image`` gives them, without a wait for the device.

    Args:
        kind: ``"upright"`` or ``"rotated"``.
        boxes: (N, M, 4) float32 upright, (N, M, 8) float64 rotated (prepared).
        scores: (N, M) float32.
        groups: (N, M) int64.
    """
    images, count = scores.shape
    index = torch.full((images, limit), -1, dtype=torch.int64, device=scores.device)
    counts = torch.zeros(images, dtype=torch.int64, device=scores.device)
    if 0 in (images, count, limit):
        return index, counts
    ordered, order = torch.sort(scores, dim=1, descending=True, stable=True)
    boxes, groups, threshold = stored(boxes), stored(groups), not_above(iou_threshold)
    words = -(-min(count, CHUNK) // WORD)
    overlaps = torch.empty((images, words * WORD, words), dtype=torch.int64, device=scores.device)
    for start in range(0, count, words * WORD):
        dropped = torch.zeros((images, words), dtype=torch.int64, device=scores.device)
        if start > 0:
            tiles = -(-min(start, limit) // TILE)
            launch(
                SOURCE,
                f"drop_{kind}",
                grid=(images * words * tiles, 1, 1),
                block=(WORD, 1, 1),
                arguments=(
                    *(boxes, order, ordered, groups, index, counts, dropped),
                    *(count, count, start, words, tiles, limit, threshold),
                ),
            )
        launch(
            SOURCE,
            f"find_{kind}_overlaps",
            grid=(images * words * words, 1, 1),
            block=(WORD, 1, 1),
            arguments=(
                *(boxes, order, ordered, groups, counts, overlaps),
                *(count, count, start, words, limit, threshold),
            ),
        )
        launch(
            SOURCE,
            "keep_best",
            grid=(images, 1, 1),
            block=(KEEP_THREADS, 1, 1),
            arguments=(
                *(order, ordered, overlaps, dropped, index, counts),
                *(count, start, words, limit),
            ),
            shared_bytes=words * 8,
        )
    return index, counts


def not_above(threshold: float) -> float:
    """The largest float32 that is not above a threshold: a float32 exceeds both or neither."""
    nearest = np.float32(threshold)
    return float(np.nextafter(nearest, np.float32(-inf)) if float(nearest) > threshold else nearest)
