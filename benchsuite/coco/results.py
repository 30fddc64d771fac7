"""Detections as ``COCO.loadRes`` takes and completes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.coco import mask
from benchsuite.errors import InputError

Records = list[dict[str, Any]]


def records_of_array(rows: NDArray[Any]) -> Records:
    """(N, 7) of image id, x, y, width, height, score and category id, as records.

    Raises:
        InputError: the array has another shape.
    """
    if rows.ndim != 2 or rows.shape[1] != 7:
        raise InputError(
            f"an array of shape {rows.shape} holds no results",
            remedy="It has to be (N, 7): image id, x, y, width, height, score, category id",
        )
    return [
        {
            "image_id": int(row[0]),
            "bbox": [*row[1:5]],
            "score": row[5],
            "category_id": int(row[6]),
        }
        for row in rows
    ]


def complete(
    records: Records, images: Mapping[Any, Mapping[str, Any]], file: object | None = None
) -> None:
    """Gives each detection ``id``, ``area`` and what else is missing, in place.

    The first detection decides for all, as in pycocotools: where it has a box, a detection's area
    is its box's; else where it has a mask, the mask's; else that of the box round its keypoints.

    Args:
        images: image id to record, whose height and width masks given as polygons or run lengths
            need.
        file: where the detections are from, for messages.

    Raises:
        InputError: a detection lacks what the first one has, or has a malformed one.
    """
    if not records:
        return
    first = records[0]
    fill: Callable[[dict[str, Any]], None]
    if "caption" in first:
        fill = _caption
    elif "bbox" in first and not (isinstance(first["bbox"], list) and not first["bbox"]):
        fill = _box
    elif "segmentation" in first:
        fill = _masked(images)
    elif "keypoints" in first:
        fill = _keypoints
    else:
        return
    for place, record in enumerate(records):
        record["id"] = place + 1
        try:
            fill(record)
        except KeyError as error:
            raise _error(f"the field {error} is missing", place, file) from None
        except (ValueError, TypeError, IndexError) as error:
            raise _error(f"is malformed: {error}", place, file) from None


def _error(problem: str, place: int, file: object | None) -> InputError:
    return InputError(problem, file=file, record=f"detections[{place}]")


def _caption(record: dict[str, Any]) -> None:
    """A caption needs nothing but an id."""


def _box(record: dict[str, Any]) -> None:
    x, y, width, height = record["bbox"]
    right, bottom = x + width, y + height
    if "segmentation" not in record:
        record["segmentation"] = [[x, y, x, bottom, right, bottom, right, y]]
    record["area"] = width * height
    record["iscrowd"] = 0


def _masked(images: Mapping[Any, Mapping[str, Any]]) -> Callable[[dict[str, Any]], None]:
    def fill(record: dict[str, Any]) -> None:
        shape = record["segmentation"]
        if not isinstance(shape, Mapping) or isinstance(shape["counts"], list):
            image = images[record["image_id"]]
            shape = as_rle(shape, image["height"], image["width"])
        record["area"] = mask.area(shape)
        if "bbox" not in record:
            record["bbox"] = mask.toBbox(shape)
        record["iscrowd"] = 0

    return fill


def _keypoints(record: dict[str, Any]) -> None:
    numbers = record["keypoints"]
    left, right = np.min(numbers[0::3]), np.max(numbers[0::3])
    top, bottom = np.min(numbers[1::3]), np.max(numbers[1::3])
    record["area"] = (right - left) * (bottom - top)
    record["bbox"] = [left, top, right - left, bottom - top]


def as_rle(segmentation: Any, height: int, width: int) -> Any:
    """Polygons or run lengths as an RLE; an RLE as it is.

    Raises:
        ValueError: it is malformed.
    """
    if not isinstance(segmentation, Mapping):
        return mask.union_of_polygons(segmentation, height, width)
    if isinstance(segmentation["counts"], list):
        return mask.frPyObjects(segmentation, height, width)
    return segmentation
