"""What a format could not hold, counted: so that a conversion says what is gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy, is_present, to_numpy
from benchsuite.protocols import Predictions, Truth
from benchsuite.specs import Category
from benchsuite_kernels.columns import rle
from benchsuite_plugins.formats.image_names import image_ids

_SHAPES = {
    "bbox": "boxes",
    "segmentation": "masks",
    "keypoints": "keypoints",
    "rotated_box": "rotated boxes",
}
_MAPS = {
    "semantic": "semantic maps",
    "panoptic": "panoptic maps",
    "instance": "instance maps",
}


def truth_losses(
    truth: Truth,
    kept: Collection[str],
    *,
    written: NDArray[np.bool_] | None = None,
    images_by_name: bool = True,
) -> dict[str, int]:
    """What of the truth is not among the columns that a format keeps.

    Args:
        kept: columns of ``TRUTH_INSTANCES`` and ``TRUTH_IMAGES``; ``"semantic"``, ``"panoptic"``
            and ``"instance"`` for maps; ``"category_id"``, ``"image_id"`` and ``"annotation_id"``
            where ids are written, not counted anew when they are read.
        written: (N,), false for objects that are left out; ``None``: none is.
        images_by_name: whether images are read by name, else in the order they are written in.

    Returns:
        Noun to number, without zeros. Crowd regions and difficult objects are the format's own to
        count: it may write them as something else.
    """
    instances, images = truth.instances, truth.images
    found = {
        noun: _present_count(instances, column)
        for column, noun in _SHAPES.items()
        if column not in kept
    }
    for name, noun in _MAPS.items():
        columns = [f"{name}_png", f"{name}_path"]
        there = [is_present(images[column]) for column in columns]
        found[noun] = 0 if name in kept else int(np.logical_or(*there).sum())
    if "area" not in kept:
        found["areas other than the shapes'"] = _own_areas(truth, kept)
    if "attributes" not in kept:
        found["attributes of images"] = _present_count(images, "attributes")
    if "negative_category_ids" not in kept:
        lists = ("negative_category_ids", "not_exhaustive_category_ids")
        found["lists of categories searched for"] = sum(
            _present_count(images, column) for column in lists
        )
    order = _image_order(truth, images_by_name)
    if "annotation_id" not in kept:
        found["annotation ids"] = _changed_annotation_ids(truth, order, written)
    if "image_id" not in kept:
        names = images["file_name"].to_pylist()
        ids = to_numpy(images["image_id"])[order]
        found["image ids"] = _changed(ids, image_ids([names[row] for row in order]))
    if "category_id" not in kept:
        found["category ids"] = _changed(
            np.array([category.id for category in truth.categories]),
            range(1, len(truth.categories) + 1),
        )
        found["properties of categories"] = sum(map(_has_properties, truth.categories))
    return {noun: count for noun, count in found.items() if count}


def prediction_losses(predictions: Predictions, kept: Collection[str]) -> dict[str, int]:
    """What of the predictions is not among the columns that a format keeps."""
    nouns = {**_SHAPES, "extra": "further fields"}
    found = {
        noun: _present_count(predictions.instances, column)
        for column, noun in nouns.items()
        if column not in kept
    }
    return {noun: count for noun, count in found.items() if count}


def changed_rows(before: NDArray[np.float64], after: NDArray[np.float64]) -> int:
    """Rows that are not the same to the last bit."""
    return int((before != after).any(axis=1).sum())


def _present_count(table: pa.Table, column: str) -> int:
    return int(is_present(table[column]).sum())


def _changed(ids: NDArray[np.int64], read: Sequence[int]) -> int:
    return int((ids != np.array(read, np.int64)).sum())


def _image_order(truth: Truth, by_name: bool) -> list[int]:
    """Rows of the images in the order that they are read in."""
    names = truth.images["file_name"].to_pylist()
    return sorted(range(len(names)), key=names.__getitem__) if by_name else [*range(len(names))]


def _changed_annotation_ids(
    truth: Truth, image_order: Sequence[int], written: NDArray[np.bool_] | None
) -> int:
    """Ids that are not the places, from 1, that objects have when they are read by image."""
    instances = truth.instances
    images = to_numpy(truth.images["image_id"])[image_order]
    by_id = np.argsort(images)
    places = by_id[np.searchsorted(images[by_id], to_numpy(instances["image_id"]))]
    rows = np.argsort(places, kind="stable")
    ids = to_numpy(instances["annotation_id"])[rows]
    if written is not None:
        ids = ids[written[rows]]
    return _changed(ids, range(1, len(ids) + 1))


def _own_areas(truth: Truth, kept: Collection[str]) -> int:
    """Areas that are not those of the shapes that are kept."""
    instances = truth.instances
    sides = to_numpy(instances["bbox"])[:, 2:]
    if "rotated_box" in kept:
        turned = is_present(instances["rotated_box"])
        sides = np.where(turned[:, None], to_numpy(instances["rotated_box"])[:, 2:4], sides)
    areas = sides[:, 0] * sides[:, 1]
    if "segmentation" in kept:
        masked = np.flatnonzero(is_present(instances["segmentation"]))
        areas[masked] = [rle.area(each["counts"]) for each in masks_of(instances, masked)]
    return int((areas != to_numpy(instances["area"])).sum())


def masks_of(instances: pa.Table, rows: NDArray[np.int64]) -> list[dict[str, Any]]:
    """``size`` and ``counts`` of the masks of some rows."""
    masks: list[dict[str, Any]] = instances["segmentation"].take(from_numpy(rows)).to_pylist()
    return masks


def _has_properties(category: Category) -> bool:
    return bool(category.supercategory or category.frequency or not category.isthing)
