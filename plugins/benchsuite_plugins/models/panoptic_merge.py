"""Instances and a semantic map into one panoptic map (Kirillov et al., "Panoptic segmentation",
2019), to the conventions of Detectron2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.records import PanopticMap, Prediction, Segment
from benchsuite_kernels.columns import rle


@dataclass(frozen=True, slots=True)
class PanopticOptions:
    """Which instances and which stuff get a segment.

    Attributes:
        overlap_thresh: an instance goes whose mask is covered by better ones for more than this
            share.
        stuff_area_limit: stuff goes that is left fewer pixels.
        instances_confidence_thresh: an instance's score must be at least this.
    """

    overlap_thresh: float = 0.5
    stuff_area_limit: int = 4096
    instances_confidence_thresh: float = 0.5


def merge_panoptic(
    instances: Prediction,
    semantic: NDArray[Any],
    stuff_labels: Sequence[int],
    options: PanopticOptions,
) -> PanopticMap:
    """One image's panoptic map: instances, best first, then stuff where nothing is yet.

    Args:
        instances: with masks, as ``RLE`` records.
        semantic: (H, W) integers; 0 for things, ``i`` for ``stuff_labels[i - 1]``.
        stuff_labels: what the classes of the semantic map are among the model's categories.
    """
    # Column by column, as masks are decoded.
    ids = np.zeros(semantic.shape, np.int32, order="F")
    segments: list[Segment] = []
    order = np.argsort(-instances.scores, kind="stable")
    confident = order[instances.scores[order] >= options.instances_confidence_thresh]
    # One after the other: whether a mask stays hangs on which of the better ones did.
    for row in confident.tolist():
        if _paint(instances.masks[row].counts, ids, len(segments) + 1, options.overlap_thresh):
            label, score = int(instances.labels[row]), float(instances.scores[row])
            segments.append(Segment(len(segments) + 1, label, isthing=True, score=score))
    free = ids == 0
    areas = np.bincount(semantic[free], minlength=len(stuff_labels) + 1)
    areas[0] = 0
    number = np.zeros(len(areas), np.int32)
    for stuff in np.flatnonzero((areas > 0) & (areas >= options.stuff_area_limit)).tolist():
        number[stuff] = len(segments) + 1
        segments.append(Segment(len(segments) + 1, stuff_labels[stuff - 1], isthing=False))
    return PanopticMap(np.where(free, number[semantic], ids), tuple(segments))


def _paint(counts: bytes, ids: NDArray[np.int32], number: int, overlap_thresh: float) -> bool:
    """Put a mask on the free pixels of ``ids``; ``False``: it is empty or overlaps too much."""
    x, y, width, height = rle.to_bbox(counts, ids.shape)
    if not width * height:
        return False
    window = np.s_[y : y + height, x : x + width]
    mask = rle.decode(counts, ids.shape)[window].view(np.bool_)
    free = mask & (ids[window] == 0)
    area, free_area = int(np.count_nonzero(mask)), int(np.count_nonzero(free))
    if (area - free_area) / area > overlap_thresh:
        return False
    ids[window][free] = number
    return True
