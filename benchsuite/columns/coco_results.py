"""COCO results files: predictions in and out, without loss."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import pyarrow as pa

from benchsuite.columns.arrow_arrays import from_values
from benchsuite.columns.file_bytes import FileBytes
from benchsuite.columns.image_columns import ImageColumns
from benchsuite.columns.json_file import JsonFile, json_type
from benchsuite.columns.predictions_of_records import (
    FIELDS,
    SHAPES,
    ReadPredictions,
    predictions_of_records,
)
from benchsuite.columns.record_checks import CheckedRecords
from benchsuite.columns.record_list import RecordList
from benchsuite.columns.scanned_records import scanned_results, text_column
from benchsuite.errors import ContractError, InputError
from benchsuite.protocols import Predictions
from benchsuite.records import ImageRecord
from benchsuite.schemas import PREDICTION_INSTANCES
from benchsuite.specs import Category
from benchsuite_kernels.columns.coco_json import scan_results
from benchsuite_kernels.threads import evaluation_threads

_DEFINED = frozenset({"image_id", "category_id", "score", *SHAPES})


def read_results_file(
    path: Path,
    images: ImageColumns,
    categories: Sequence[Category],
    task: str,
    *,
    lenient: bool = False,
) -> ReadPredictions:
    """As ``read_coco_results``, with the file's hash.

    Args:
        lenient: see ``predictions_of_records``; what was let pass is in the result.
    """
    file = FileBytes(path, what="predictions file")
    found = scan_results(file.buffer, file.size, evaluation_threads())
    if found is not None:
        extra = text_column(found.extra)
        records: CheckedRecords = scanned_results(found, file)
    else:
        content = JsonFile.parsed(file).content
        if not isinstance(content, list):
            raise InputError(
                f"holds a JSON {json_type(content)}, not an array of detections",
                file=path,
                remedy="A COCO results file is an array of objects, one a detection",
            )
        records = RecordList(content, name="detections", file=path)
        extra = extra_fields(content)
    read = predictions_of_records(
        records, images, categories, task, extra=extra, source=str(path), lenient=lenient
    )
    return replace(read, sha256=file.sha256)


def read_coco_results(
    path: Path, images: Iterable[ImageRecord], categories: Iterable[Category], task: str
) -> Predictions:
    """Predictions of a COCO results file: a JSON array with one object a detection.

    Every object has ``image_id``, ``category_id``, ``score`` and the task's own field: ``bbox``
    (x, y, width, height), ``segmentation`` (RLE, compressed or not, or polygons) or ``keypoints``
    (x, y, score of each). A ``bbox`` of five numbers is a rotated box, as Detectron2 has it: centre
    x and y, width, height, angle. Where the first object has no ``bbox``, the task ``bbox`` takes
    masks or keypoints in its place, as pycocotools does. Further fields are kept as JSON in
    ``extra``, as the file writes them; uncompressed RLE and polygons become compressed RLE.

    Args:
        path: the file.
        images: all images of the dataset. A results file does not say which images were run: each
            gets a row in ``Predictions.images``, and one without detections counts as one in which
            nothing was found.
        categories: all categories of the dataset.
        task: one of ``FIELDS``; of another, no field is asked for.

    Returns:
        Predictions in file order, ``prediction`` being the place in the file.

    Raises:
        DataMissingError: there is no such file.
        InputError: it is truncated or no JSON array, or a detection lacks a field, has an unknown
            image or category id, a score that is not finite, a box of negative width or height, or
            a mask that is malformed or of another size than its image.
    """
    image_columns = ImageColumns.of(tuple(images))
    return read_results_file(path, image_columns, tuple(categories), task).predictions


def extra_fields(records: Sequence[dict[str, Any]]) -> pa.Array[Any] | None:
    """JSON of the fields that COCO does not define, null where there are none."""
    if all(map(_DEFINED.issuperset, records)):
        return None
    extras = [
        {name: value for name, value in record.items() if name not in _DEFINED}
        for record in records
    ]
    texts = [json.dumps(extra) if extra else None for extra in extras]
    return from_values(texts, pa.string())


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
    for name in set(SHAPES) - kept:
        field = PREDICTION_INSTANCES.field(name)
        place = PREDICTION_INSTANCES.get_field_index(name)
        instances = instances.set_column(place, field, pa.nulls(len(instances), field.type))
    return Predictions(predictions.images, instances, predictions.source)


def write_coco_results(predictions: Predictions, path: Path, task: str) -> None:
    """Writes a COCO results file: everything that is not null, in order of ``prediction``.

    The file is there whole or not at all. A file that ``read_coco_results`` read comes out with the
    same numbers and fields; ``as_results`` first reduces a model's predictions to one task. For
    ``rotated`` the field ``bbox`` holds rotated boxes, where there are any.

    Raises:
        ContractError: a prediction lacks the field that the task is scored by.
    """
    instances = predictions.instances.sort_by("prediction")
    if task == "rotated":
        instances = _with_rotated_boxes(instances)
    else:
        missing = instances[FIELDS[task]].null_count
        if missing:
            raise ContractError(
                f"{missing} of {len(instances)} predictions have no {FIELDS[task]}, so no COCO "
                f"results file for {task} can be written"
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


def _with_rotated_boxes(instances: pa.Table) -> pa.Table:
    """The table, whose boxes are the rotated ones, and the upright ones where there is none."""
    boxes = from_values(
        [turned or box for box, turned in zip(*_pylists(instances, "bbox", "rotated_box"))],
        pa.list_(pa.float64()),
    )
    missing = boxes.null_count
    if missing:
        raise ContractError(
            f"{missing} of {len(instances)} predictions have no box, so no COCO results file for "
            "rotated can be written"
        )
    return instances.set_column(instances.schema.get_field_index("bbox"), "bbox", boxes)


def _pylists(table: pa.Table, *names: str) -> list[list[Any]]:
    return [table[name].to_pylist() for name in names]


def _lines(instances: pa.Table) -> Iterator[str]:
    """One JSON object a row."""
    for batch in instances.to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            detection = {"image_id": row["image_id"], "category_id": row["category_id"]}
            for field in SHAPES:
                if row[field] is not None:
                    detection[field] = row[field]
            if row["segmentation"] is not None:
                rle = row["segmentation"]
                detection["segmentation"] = {**rle, "counts": rle["counts"].decode("ascii")}
            detection["score"] = row["score"]
            detection |= json.loads(row["extra"]) if row["extra"] else {}
            yield json.dumps(detection)
