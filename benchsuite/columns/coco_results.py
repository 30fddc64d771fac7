"""COCO results files: predictions in and out, without loss."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.json_file import JsonFile, json_type
from benchsuite.columns.keypoint_column import KeypointColumn
from benchsuite.columns.record_list import RecordList
from benchsuite.columns.segmentation_column import SegmentationColumn
from benchsuite.columns.tables import box_array, filled_table, image_columns, rle_array
from benchsuite.errors import ContractError, InputError
from benchsuite.protocols import Predictions
from benchsuite.records import ImageRecord
from benchsuite.schemas import PREDICTION_IMAGES, PREDICTION_INSTANCES
from benchsuite.specs import Category

FIELDS = {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints"}
"""Task to the field of a results file that it is scored by."""

_DEFINED = frozenset({"image_id", "category_id", "score", *FIELDS.values()})


def read_coco_results(
    path: Path, images: Iterable[ImageRecord], categories: Iterable[Category], task: str
) -> Predictions:
    """Predictions of a COCO results file: a JSON array with one object a detection.

    Every object has ``image_id``, ``category_id``, ``score`` and the task's own field: ``bbox``
    (x, y, width, height), ``segmentation`` (RLE, compressed or not, or polygons) or ``keypoints``
    (x, y, score of each). Where the first object has no ``bbox``, the task ``bbox`` takes masks or
    keypoints in its place, as pycocotools does. Further fields are kept as JSON in ``extra``;
    uncompressed RLE and polygons become compressed RLE.

    Args:
        path: the file.
        images: all images of the dataset. A results file does not say which images were run: each
            gets a row in ``Predictions.images``, and one without detections counts as one in which
            nothing was found.
        categories: all categories of the dataset.
        task: one of ``FIELDS``.

    Returns:
        Predictions in file order, ``prediction`` being the place in the file.

    Raises:
        DataMissingError: there is no such file.
        InputError: it is truncated or no JSON array, or a detection lacks a field, has an unknown
            image or category id, a score that is not finite, a box of negative width or height, or
            a mask that is malformed or of another size than its image.
    """
    file = JsonFile.read(path, what="predictions file")
    if not isinstance(file.content, list):
        raise InputError(
            f"holds a JSON {json_type(file.content)}, not an array of detections",
            file=path,
            remedy="A COCO results file is an array of objects, one a detection",
        )
    image_records = tuple(images)
    records = RecordList(file.content, name="detections", file=path)
    image_ids, category_ids = records.integers("image_id"), records.integers("category_id")
    known_images = [record.id for record in image_records]
    known_categories = [category.id for category in categories]
    image_rows = records.referred("image_id", image_ids, known_images, "dataset's images")
    records.referred("category_id", category_ids, known_categories, "dataset's categories")

    scores = records.required_numbers("score")
    boxes, has_box = records.boxes("bbox")
    segmentations, keypoints = SegmentationColumn(records), KeypointColumn(records)
    present = {
        "bbox": has_box,
        "segmentation": segmentations.present,
        "keypoints": keypoints.present,
    }
    _check_fields(records, present, task)
    heights_widths = np.array([(record.height, record.width) for record in image_records], np.int64)
    sizes = heights_widths.reshape(-1, 2)[image_rows]
    columns = {
        "prediction": pa.array(np.arange(len(records))),
        "image_id": pa.array(image_ids),
        "category_id": pa.array(category_ids),
        "score": pa.array(scores),
        "bbox": box_array(boxes, has_box),
        "segmentation": (
            rle_array(segmentations.encode(sizes), sizes) if segmentations.present.any() else None
        ),
        "keypoints": keypoints.checked() if keypoints.count else None,
        "extra": _extra_fields(file.content),
    }
    counts = np.bincount(image_rows, minlength=len(image_records))
    image_table = {**image_columns(image_records), "n_instances": pa.array(counts)}
    return Predictions(
        images=filled_table(image_table, PREDICTION_IMAGES, len(image_records)),
        instances=filled_table(columns, PREDICTION_INSTANCES, len(records)),
        source=str(path),
    )


def _check_fields(records: RecordList, present: dict[str, NDArray[np.bool_]], task: str) -> None:
    """Raises ``InputError`` for the first detection that lacks a field it is scored by.

    The protocol takes a detection's area from its box in the whole file or nowhere in it: the first
    detection decides.
    """
    if not len(records):
        return
    first_has = [field for field in FIELDS.values() if present[field][0]]
    scored_by = first_has[0] if task == "bbox" and first_has else FIELDS[task]
    for field in dict.fromkeys([scored_by, *({"bbox"} & {*first_has})]):
        if not present[field].all():
            why = "" if field == scored_by else f", though {records.names[0]} has it"
            raise records.names.error(
                present[field].argmin(), f"the field {field!r} is missing{why}"
            )


def _extra_fields(records: Sequence[dict[str, Any]]) -> pa.Array[Any] | None:
    """JSON of the fields that COCO does not define, null where there are none."""
    if all(map(_DEFINED.issuperset, records)):
        return None
    extras = [
        {name: value for name, value in record.items() if name not in _DEFINED}
        for record in records
    ]
    return pa.array([json.dumps(extra) if extra else None for extra in extras], pa.string())


RESULT_FIELDS = {
    "bbox": {"bbox"},
    "segm": {"segmentation"},
    "keypoints": {"bbox", "keypoints"},
}
"""Task to the columns that a results file of it holds."""


def as_results(predictions: Predictions, task: str) -> Predictions:
    """A model's predictions as a COCO results file of one task holds them.

    Such a file has masks alone for ``segm`` (so that a detection's area is its mask's: Detectron2's
    convention, and that of the COCO challenge), boxes alone for ``bbox``, and both boxes and
    keypoints for ``keypoints``. For a task without such a file the predictions stay as they are.
    """
    kept = RESULT_FIELDS.get(task)
    if kept is None:
        return predictions
    instances = predictions.instances
    for name in set(FIELDS.values()) - kept:
        field = PREDICTION_INSTANCES.field(name)
        place = PREDICTION_INSTANCES.get_field_index(name)
        instances = instances.set_column(place, field, pa.nulls(len(instances), field.type))
    return Predictions(predictions.images, instances, predictions.source)


def write_coco_results(predictions: Predictions, path: Path, task: str) -> None:
    """Writes a COCO results file: everything that is not null, in order of ``prediction``.

    The file is there whole or not at all. A file that ``read_coco_results`` read comes out with the
    same numbers and fields; ``as_results`` first reduces a model's predictions to one task.

    Raises:
        ContractError: a prediction lacks the field that the task is scored by.
    """
    instances = predictions.instances.sort_by("prediction")
    missing = instances[FIELDS[task]].null_count
    if missing:
        raise ContractError(
            f"{missing} of {len(instances)} predictions have no {FIELDS[task]}, so no COCO results"
            f" file for {task} can be written"
        )
    staged = path.with_name(f".{path.name}.{token_hex(8)}.partial")
    try:
        with staged.open("x", encoding="utf-8") as file:
            separator = "["
            for line in _lines(instances):
                file.write(f"{separator}{line}")
                separator = ",\n"
            file.write("]\n" if len(instances) else "[]\n")
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise


def _lines(instances: pa.Table) -> Iterator[str]:
    """One JSON object a row."""
    for batch in instances.to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            detection = {"image_id": row["image_id"], "category_id": row["category_id"]}
            for field in FIELDS.values():
                if row[field] is not None:
                    detection[field] = row[field]
            if row["segmentation"] is not None:
                rle = row["segmentation"]
                detection["segmentation"] = {**rle, "counts": rle["counts"].decode("ascii")}
            detection["score"] = row["score"]
            detection |= json.loads(row["extra"]) if row["extra"] else {}
            yield json.dumps(detection)
