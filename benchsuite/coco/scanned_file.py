"""COCO files as rows, without a record being made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.coco.file_masks import BoxMasks, FileMasks, SegmentationMasks, Sizes
from benchsuite.coco.file_rows import FileRows
from benchsuite.columns.file_bytes import FileBytes
from benchsuite.errors import InputError
from benchsuite_kernels.columns import rle_batch
from benchsuite_kernels.columns.coco_json import (
    NONE,
    Annotations,
    Lists,
    Results,
    scan_annotations,
    scan_results,
)
from benchsuite_kernels.threads import evaluation_threads

Record = dict[str, Any]
Columns = dict[str, NDArray[Any]]


class NotScannedError(Exception):
    """The file holds something that records have to be made of."""


@dataclass(frozen=True, slots=True)
class ScannedTruth:
    """An annotation file: its annotations as rows, and its records of images and categories."""

    rows: FileRows
    images: list[Record]
    categories: list[Record]


def scan_truth(file: FileBytes) -> ScannedTruth:
    """The columns of an annotation file.

    Raises:
        NotScannedError: records have to be made.
    """
    found = scan_annotations(file.buffer, file.size, evaluation_threads())
    if found is None:
        raise NotScannedError
    images, categories = _with_ids(found.images), _with_ids(found.categories)
    columns = _complete(found, ("id", "image_id", "category_id", "area", "bbox"))
    if not columns.keys() >= {"id", "image_id", "category_id"}:
        raise NotScannedError
    if len(np.unique(columns["id"])) < found.count:
        raise NotScannedError
    points = _equal_lists(found.keypoints)
    columns |= {
        "iscrowd": found.iscrowd.values,  # 0 where it is missing
        "keypoints": points,
        "unseen": np.where(
            found.num_keypoints.present,
            found.num_keypoints.values == 0,
            ~(points[:, 2::3] > 0).any(axis=1),
        ),
    }
    by_id = {image["id"]: image for image in images}
    sizes = _sizes(columns["image_id"], by_id)
    ids = columns["id"]
    masks = SegmentationMasks(
        found.segmentations, file, sizes, lambda row: f"annotation id {ids[row]}"
    )
    rows = FileRows(columns, masks, np.arange(found.count), "annotation")
    if (rows.places("image_id", list(by_id)) < 0).any():
        raise NotScannedError
    return ScannedTruth(rows, images, categories)


def scan_detections(file: FileBytes, images: Mapping[Any, Record]) -> FileRows:
    """The columns of a results file, with what ``COCO.loadRes`` completes.

    Args:
        images: id to record.

    Raises:
        NotScannedError: records have to be made.
        InputError: an image is unknown, or a mask is malformed.
    """
    found = scan_results(file.buffer, file.size, evaluation_threads())
    if found is None or not found.count or len(found.extra.items):
        raise NotScannedError
    columns = _complete(found, ("image_id", "category_id", "score", "bbox"))
    if not columns.keys() >= {"image_id", "category_id", "score"}:
        raise NotScannedError
    columns["id"] = np.arange(1, found.count + 1)
    sizes = _sizes(columns["image_id"], images)

    def name(row: int) -> str:
        return f"detections[{row}]"

    segmented = found.segmentations.shape != NONE
    masks: FileMasks = SegmentationMasks(found.segmentations, file, sizes, name)
    if segmented.any() != segmented.all():
        raise NotScannedError
    if found.keypoints.items.size:
        columns["keypoints"] = _equal_lists(found.keypoints)
    if found.bbox.present[0]:
        if "bbox" not in columns:
            raise NotScannedError
        columns["area"] = columns["bbox"][:, 2] * columns["bbox"][:, 3]
        if not segmented[0]:
            masks = BoxMasks(columns["bbox"], sizes, name)
    elif segmented[0]:
        _measure_masks(columns, masks, found, name)
    elif "keypoints" in columns:
        _measure_keypoints(columns)
    else:
        raise NotScannedError
    rows = FileRows(columns, masks, np.arange(found.count), "detection")
    unknown = np.flatnonzero(rows.places("image_id", list(images)) < 0)
    if len(unknown):
        problem = f"image_id {columns['image_id'][unknown[0]]} is not among the images"
        raise InputError(problem, file=file.path, record=name(unknown[0]))
    return rows


def _measure_masks(columns: Columns, masks: FileMasks, found: Results, name: Any) -> None:
    """Areas, and boxes where there are none, of detections that are masks."""
    encoded, threads = masks.encoded, evaluation_threads()
    sizes = encoded.sizes.astype(np.int64)
    try:
        areas = rle_batch.validate(encoded.counts, encoded.offsets, sizes, threads=threads)
        boxes = rle_batch.to_bboxes(encoded.counts, encoded.offsets, sizes, threads=threads)
    except rle_batch.MaskError as error:
        raise InputError(f"segmentation is malformed: {error}", record=name(error.row)) from None
    columns["area"] = areas
    columns["bbox"] = np.where(found.bbox.present[:, None], found.bbox.values, boxes)


def _measure_keypoints(columns: Columns) -> None:
    """Areas and boxes round the keypoints of detections that are nothing else."""
    points = columns["keypoints"]
    if not points.shape[1]:
        raise NotScannedError
    low = np.stack([points[:, axis::3].min(axis=1) for axis in (0, 1)], axis=1)
    high = np.stack([points[:, axis::3].max(axis=1) for axis in (0, 1)], axis=1)
    columns["bbox"] = np.concatenate([low, high - low], axis=1)
    columns["area"] = (high - low).prod(axis=1)


def _complete(found: Annotations | Results, names: Sequence[str]) -> Columns:
    """The fields that no record lacks."""
    fields = {name: getattr(found, name) for name in names}
    return {name: field.values for name, field in fields.items() if field.present.all()}


def _equal_lists(lists: Lists) -> NDArray[Any]:
    """(N, L): lists of one length, zeros where one is missing.

    Raises:
        NotScannedError: they have several lengths.
    """
    present = lists.lengths > 0
    lengths = np.unique(lists.lengths[present])
    if len(lengths) > 1:
        raise NotScannedError
    table = np.zeros((len(present), int(lengths.sum())))
    table[present] = lists.items.reshape(-1, table.shape[1]) if len(lengths) else 0
    return table


def _sizes(image_ids: NDArray[np.int64], images: Mapping[Any, Record]) -> Sizes:
    """(N, 2) height and width of each image, when they are needed."""

    def sizes() -> NDArray[np.int64]:
        known, which = np.unique(image_ids, return_inverse=True)
        rows = []
        for identity in known.tolist():
            try:
                rows.append([int(images[identity][side]) for side in ("height", "width")])
            except (KeyError, TypeError, ValueError) as error:
                problem = f"has no height and width, which masks need ({error})"
                raise InputError(problem, record=f"image id {identity}") from None
        return np.array(rows, np.int64).reshape(-1, 2)[which]

    return sizes


def _with_ids(text: bytes) -> list[Record]:
    """A JSON array of records. Raises ``NotScannedError`` if it is none, or one has no id."""
    records = json.loads(text) if text else None
    if not isinstance(records, list):
        raise NotScannedError
    if not all(isinstance(record, dict) and "id" in record for record in records):
        raise NotScannedError
    return records
