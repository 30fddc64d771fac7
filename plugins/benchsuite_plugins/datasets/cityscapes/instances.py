"""Cityscapes' objects as annotations, made of its instance maps.

A single object has a number of its own in the map. A group of objects that nobody could tell
apart (``cargroup``) has its label's number: it becomes one crowd. Regions of labels that are not
evaluated (caravans, trailers) are no annotations. Detectron2 trains on the same regions, cut from
the polygons that the maps were drawn from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchsuite.errors import InputError
from benchsuite.records import ImageRecord
from benchsuite_kernels.columns.instance_maps import regions
from benchsuite_kernels.columns.label_maps import MapError, decode
from benchsuite_plugins.datasets.cityscapes.labels import INSTANCE_FACTOR, WITH_INSTANCES

_SMALLEST = min(label.id for label in WITH_INSTANCES)
_LABEL_IDS = np.array([label.id for label in WITH_INSTANCES], np.int64)


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of one image, by ascending number.

    Attributes:
        category_ids: (N,) int64, label ids.
        iscrowd: (N,) bool: groups.
        areas: (N,) int64, pixels.
        boxes: (N, 4) int64, tight, as x, y, width, height.
        counts: N compressed RLE.
    """

    category_ids: NDArray[np.int64]
    iscrowd: NDArray[np.bool_]
    areas: NDArray[np.int64]
    boxes: NDArray[np.int64]
    counts: Sequence[bytes]


def objects_of(instance_map: NDArray[np.uint16]) -> Objects:
    """The objects of an instance map, (H, W) uint16."""
    found = regions(instance_map, _SMALLEST)
    iscrowd = found.values < INSTANCE_FACTOR
    labels = np.where(iscrowd, found.values, found.values // INSTANCE_FACTOR)
    kept = np.flatnonzero(np.isin(labels, _LABEL_IDS))
    return Objects(
        labels[kept],
        iscrowd[kept],
        found.areas[kept],
        found.boxes[kept],
        [found.counts[place] for place in kept.tolist()],
    )


def read_instance_map(path: Path, record: ImageRecord | None = None) -> NDArray[np.uint16]:
    """An instance map: (H, W) uint16.

    Args:
        record: the image that it is of, whose size it must have.

    Raises:
        InputError: it cannot be read, is no greyscale PNG, or has another size than its image.
    """
    try:
        numbers = decode(path, "grey")
    except MapError as error:
        raise InputError(error.problem, file=path) from None
    if record is not None and numbers.shape != (record.height, record.width):
        raise InputError(
            f"is of {numbers.shape[1]} x {numbers.shape[0]} pixels, its image of {record.width} x "
            f"{record.height}",
            file=path,
        )
    return numbers.astype(np.uint16, copy=False)
