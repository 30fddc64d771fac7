"""A picture's truth as COCO records: instances with compressed RLE, and a panoptic map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns import rle_reference
from benchsuite_plugins.datasets.shapes.categories import (
    CATEGORIES,
    KEYPOINT_CATEGORIES,
    KEYPOINTS,
    THINGS,
)
from benchsuite_plugins.datasets.shapes.picture import VOID, Instance, Picture

_COLOURS = {
    "figure": (220, 20, 60),
    "robot": (119, 11, 142),
    "ball": (255, 166, 30),
    "balloon": (250, 60, 190),
    "kite": (255, 110, 90),
    "car": (0, 60, 230),
    "truck": (0, 160, 255),
    "boat": (110, 90, 255),
    "starfish": (255, 208, 80),
    "flower": (255, 150, 200),
    "mushroom": (165, 42, 42),
    "tree": (20, 110, 50),
    "sky": (140, 200, 240),
    "grass": (130, 210, 110),
    "water": (40, 120, 170),
    "sand": (225, 205, 150),
    "brick": (180, 110, 90),
    "paving": (130, 130, 140),
}
"""What a category's segments look like in a panoptic map."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageAnnotations:
    """The records of one image.

    Attributes:
        instances: entries of ``annotations`` in the instances file.
        segments: ``segments_info`` of the panoptic file.
        panoptic: (H, W) int32 segment numbers, 0 where nothing is labelled.
    """

    instances: list[dict[str, Any]]
    segments: list[dict[str, Any]]
    panoptic: NDArray[np.int32]


def annotate(picture: Picture, image_id: int) -> ImageAnnotations:
    """COCO records of a picture; annotation ids are ``100 * image_id + 1`` and on."""
    panoptic = np.zeros(picture.stuff.shape, dtype=np.int32)
    instances, segments, taken = [], [], {0}
    for number, instance in enumerate(picture.instances):
        record = _instance(instance, image_id, 100 * image_id + number + 1)
        segment = _segment_number(instance.category_id, number, taken)
        panoptic[instance.mask] = segment
        instances.append(record)
        segments.append(
            {key: record[key] for key in ("category_id", "area", "bbox", "iscrowd")}
            | {"id": segment}
        )
    for category_id in np.unique(picture.stuff).tolist():
        if category_id == VOID:
            continue
        here = picture.stuff == category_id
        segment = _segment_number(category_id, 0, taken)
        panoptic[here] = segment
        segments.append(
            {
                "category_id": category_id,
                "area": int(np.count_nonzero(here)),
                "bbox": _box(here),
                "iscrowd": 0,
                "id": segment,
            }
        )
    return ImageAnnotations(instances, segments, panoptic)


def _instance(instance: Instance, image_id: int, annotation_id: int) -> dict[str, Any]:
    height, width = instance.mask.shape
    record = {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": instance.category_id,
        "segmentation": {
            "size": [height, width],
            "counts": rle_reference.encode(instance.mask).decode("ascii"),
        },
        "area": int(np.count_nonzero(instance.mask)),
        "bbox": _box(instance.mask),
        "iscrowd": int(instance.iscrowd),
    }
    if instance.keypoints is not None:
        record["keypoints"] = instance.keypoints.ravel().tolist()
        record["num_keypoints"] = int(np.count_nonzero(instance.keypoints[:, 2]))
    return record


def _box(mask: NDArray[np.bool_]) -> list[int]:
    """The tight (x, y, width, height) of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1], columns[0], columns[-1]
    return [int(left), int(top), int(right - left + 1), int(bottom - top + 1)]


def _segment_number(category_id: int, number: int, taken: set[int]) -> int:
    """``R + 256 G + 65536 B`` of a shade of the category's colour that is not taken yet."""
    red, green, blue = _COLOUR_OF[category_id]
    shade = 17 * number % 64
    while True:
        segment = sum(abs(c - shade) << 8 * at for at, c in enumerate((red, green, blue)))
        if segment not in taken:
            taken.add(segment)
            return segment
        shade += 1


_COLOUR_OF = {category.id: _COLOURS[category.name] for category in CATEGORIES}


def thing_categories() -> list[dict[str, Any]]:
    """``categories`` of the instances file."""
    records = []
    for category in THINGS:
        record: dict[str, Any] = {
            "id": category.id,
            "name": category.name,
            "supercategory": category.supercategory,
        }
        if category.name in KEYPOINT_CATEGORIES:
            record["keypoints"] = list(KEYPOINTS.names)
            record["skeleton"] = [[a + 1, b + 1] for a, b in KEYPOINTS.skeleton]
        records.append(record)
    return records


def panoptic_categories() -> list[dict[str, Any]]:
    """``categories`` of the panoptic file."""
    return [
        {
            "id": category.id,
            "name": category.name,
            "supercategory": category.supercategory,
            "isthing": int(category.isthing),
            "color": list(_COLOURS[category.name]),
        }
        for category in CATEGORIES
    ]
