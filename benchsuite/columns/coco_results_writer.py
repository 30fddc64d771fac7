"""Predictions as COCO results files: written without loss."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import pyarrow as pa

from benchsuite.columns.arrow_arrays import from_values
from benchsuite.columns.predictions_of_records import FIELDS, SHAPES
from benchsuite.errors import ContractError
from benchsuite.protocols import Predictions
from benchsuite.schemas import PREDICTION_INSTANCES

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
