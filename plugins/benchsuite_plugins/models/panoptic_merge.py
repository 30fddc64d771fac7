"""Instances and a semantic map into one panoptic map (Kirillov et al., "Panoptic segmentation",
2019), to the conventions of Detectron2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from benchsuite.records import PanopticMap, Prediction, Segment
from benchsuite_kernels import ops


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
    merged = ops.panoptic_merge_rle(
        [mask.counts for mask in instances.masks],
        torch.from_numpy(instances.scores),
        torch.from_numpy(semantic),
        len(stuff_labels) + 1,
        **_limits(options),
    )
    return _with_segments(merged, instances, stuff_labels)


def merge_packed(
    bits: Tensor,
    instances: Prediction,
    semantic: Tensor,
    stuff_labels: Sequence[int],
    options: PanopticOptions,
) -> PanopticMap:
    """``merge_panoptic`` of what is still on a device: only its result is copied.

    Args:
        bits: (R, words) int64, the instances' masks, packed (``benchsuite_kernels.ops``).
        semantic: (H, W) uint8 or int32, on the same device.
    """
    merged = ops.panoptic_merge(
        bits,
        torch.from_numpy(instances.scores).to(bits.device, non_blocking=True),
        semantic,
        len(stuff_labels) + 1,
        **_limits(options),
    )
    return _with_segments(merged, instances, stuff_labels)


def _limits(options: PanopticOptions) -> dict[str, Any]:
    return {
        "overlap_thresh": options.overlap_thresh,
        "stuff_area_limit": options.stuff_area_limit,
        "score_thresh": options.instances_confidence_thresh,
    }


def _with_segments(
    merged: ops.PanopticSegments, instances: Prediction, stuff_labels: Sequence[int]
) -> PanopticMap:
    of_instance, of_stuff = merged.instances.tolist(), merged.stuff.tolist()
    things = [
        Segment(number, int(instances.labels[row]), True, score=float(instances.scores[row]))
        for number, row in sorted((number, row) for row, number in enumerate(of_instance) if number)
    ]
    stuff = [
        Segment(number, stuff_labels[label - 1], isthing=False)
        for label, number in enumerate(of_stuff)
        if number
    ]
    return PanopticMap(merged.ids.cpu().numpy(), (*things, *stuff))
