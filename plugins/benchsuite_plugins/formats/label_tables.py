"""The tables of truth and predictions, made of what label files say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from benchsuite.columns.arrow_arrays import from_numpy, from_values
from benchsuite.columns.tables import filled_table, image_columns
from benchsuite.protocols import Predictions, Truth
from benchsuite.records import ImageRecord
from benchsuite.schemas import (
    PREDICTION_IMAGES,
    PREDICTION_INSTANCES,
    RLE_TYPE,
    TRUTH_IMAGES,
    TRUTH_INSTANCES,
)
from benchsuite.specs import Category
from benchsuite_kernels.columns import rle

Masks = Sequence[bytes | None]
"""Compressed RLE counts, one an object; ``None`` where it has no mask."""


def truth_of(
    records: Sequence[ImageRecord],
    categories: Sequence[Category],
    image_rows: ArrayLike,
    category_rows: ArrayLike,
    boxes: ArrayLike,
    *,
    source: str,
    difficult: ArrayLike | None = None,
    masks: Masks | None = None,
    rotated: NDArray[np.float64] | None = None,
    attributes: Sequence[str | None] | None = None,
) -> Truth:
    """Truth of N objects, numbered from 1 in the order given.

    An object's area is its mask's, else its rotated box's, else its box's.

    Args:
        records: all images.
        categories: all categories.
        image_rows, category_rows: (N,), places in those.
        boxes: (N, 4), x, y, width and height in pixels.
        source: the file or folder, for messages.
        difficult: (N,) bool.
        masks: N masks of their images' sizes.
        rotated: (N, 5), as in ``schemas``.
        attributes: for each image a JSON object, or ``None``.
    """
    rows = np.asarray(image_rows, np.int64)
    xywh = np.asarray(boxes, np.float64).reshape(-1, 4)
    sides = xywh[:, 2:] if rotated is None else rotated[:, 2:4]
    areas = sides[:, 0] * sides[:, 1]
    if masks is not None:
        areas = np.array(
            [area if counts is None else rle.area(counts) for area, counts in zip(areas, masks)],
            np.float64,
        )
    columns = {
        "annotation_id": from_numpy(np.arange(1, len(rows) + 1)),
        **_shared_columns(records, categories, rows, category_rows, xywh, masks, rotated),
        "area": from_numpy(areas),
        "iscrowd": from_numpy(np.zeros(len(rows), np.bool_)),
        "difficult": None if difficult is None else from_numpy(np.asarray(difficult, np.bool_)),
    }
    of_images: dict[str, Any] = image_columns(records)
    if attributes is not None:
        of_images["attributes"] = from_values(attributes, pa.string())
    return Truth(
        images=filled_table(of_images, TRUTH_IMAGES, len(records)),
        instances=filled_table(columns, TRUTH_INSTANCES, len(rows)),
        categories=tuple(categories),
        source=source,
    )


def predictions_of(
    records: Sequence[ImageRecord],
    categories: Sequence[Category],
    image_rows: ArrayLike,
    category_rows: ArrayLike,
    boxes: ArrayLike,
    scores: ArrayLike,
    *,
    source: str,
    masks: Masks | None = None,
    rotated: NDArray[np.float64] | None = None,
) -> Predictions:
    """Predictions of N objects, in the order given; arguments as for ``truth_of``.

    Args:
        scores: (N,).
    """
    rows = np.asarray(image_rows, np.int64)
    xywh = np.asarray(boxes, np.float64).reshape(-1, 4)
    columns = {
        "prediction": from_numpy(np.arange(len(rows))),
        **_shared_columns(records, categories, rows, category_rows, xywh, masks, rotated),
        "score": from_numpy(np.asarray(scores, np.float64)),
    }
    counts = np.bincount(rows, minlength=len(records)).astype(np.int32)
    of_images = {**image_columns(records), "n_instances": from_numpy(counts)}
    return Predictions(
        images=filled_table(of_images, PREDICTION_IMAGES, len(records)),
        instances=filled_table(columns, PREDICTION_INSTANCES, len(rows)),
        source=source,
    )


def _shared_columns(
    records: Sequence[ImageRecord],
    categories: Sequence[Category],
    image_rows: NDArray[np.int64],
    category_rows: ArrayLike,
    boxes: NDArray[np.float64],
    masks: Masks | None,
    rotated: NDArray[np.float64] | None,
) -> dict[str, Any]:
    """The columns that both sides have."""
    image_ids = np.array([record.id for record in records], np.int64)
    category_ids = np.array([category.id for category in categories], np.int64)
    return {
        "image_id": from_numpy(image_ids[image_rows]),
        "category_id": from_numpy(category_ids[np.asarray(category_rows, np.int64)]),
        "bbox": from_numpy(boxes),
        "segmentation": None if masks is None else _mask_column(masks, records, image_rows),
        "rotated_box": None if rotated is None else from_numpy(rotated),
    }


def _mask_column(
    masks: Masks, records: Sequence[ImageRecord], image_rows: NDArray[np.int64]
) -> pa.Array[Any]:
    return from_values(
        [
            None
            if counts is None
            else {"size": [records[row].height, records[row].width], "counts": counts}
            for counts, row in zip(masks, image_rows.tolist())
        ],
        RLE_TYPE,
    )
