"""Regions of instance maps, and masks over them, in NumPy: what the kernels are held against."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns import rle_reference

_Ints = NDArray[np.int64]


def regions(
    instance_map: NDArray[np.uint16], smallest: int
) -> tuple[_Ints, _Ints, _Ints, list[bytes]]:
    values = np.unique(instance_map).astype(np.int64)
    values = values[values >= smallest]
    counts = [rle_reference.encode(instance_map == value) for value in values]
    areas = np.array([rle_reference.area(each) for each in counts], np.int64)
    boxes = [rle_reference.to_bbox(each, instance_map.shape) for each in counts]
    return values, areas, np.array(boxes, np.int64).reshape(-1, 4), counts


def overlaps(
    instance_map: NDArray[np.uint16], counts: NDArray[np.uint8], offsets: _Ints
) -> tuple[_Ints, _Ints, _Ints]:
    starts, values, pixels = [0], [], []
    for mask, (start, stop) in enumerate(pairwise(offsets.tolist())):
        try:
            inside = rle_reference.decode(counts[start:stop].tobytes(), instance_map.shape)
        except ValueError as error:
            raise ValueError(f"mask {mask}: {error}") from None
        below, times = np.unique(instance_map[inside > 0], return_counts=True)
        values.append(below.astype(np.int64))
        pixels.append(times.astype(np.int64))
        starts.append(starts[-1] + len(below))
    none = np.zeros(0, np.int64)
    return (
        np.array(starts, np.int64),
        np.concatenate([none, *values]),
        np.concatenate([none, *pixels]),
    )
