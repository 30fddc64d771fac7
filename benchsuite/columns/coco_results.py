"""COCO results files, read without loss; ``coco_results_writer`` writes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchsuite.columns.arrow_arrays import from_values
from benchsuite.columns.file_bytes import FileBytes
from benchsuite.columns.image_columns import ImageColumns
from benchsuite.columns.json_file import JsonFile, json_type
from benchsuite.columns.predictions_of_records import (
    SHAPES,
    ReadPredictions,
    predictions_of_records,
)
from benchsuite.columns.record_checks import CheckedRecords
from benchsuite.columns.record_list import RecordList
from benchsuite.columns.scanned_records import scanned_results, text_column
from benchsuite.errors import InputError
from benchsuite.protocols import Predictions
from benchsuite.records import ImageRecord
from benchsuite.specs import Category
from benchsuite_kernels.columns.coco_json import scan_results
from benchsuite_kernels.threads import evaluation_threads

_DEFINED = frozenset({"image_id", "category_id", "score", *SHAPES})


RestOfReading = Callable[[ImageColumns, Sequence[Category]], ReadPredictions]
"""What is left to do of reading predictions once the dataset's images and categories are known."""


def begin_results_file(path: Path, task: str, *, lenient: bool = False) -> RestOfReading:
    """As ``read_coco_results``, in two steps: all that needs no dataset, and the rest.

    Args:
        lenient: see ``predictions_of_records``; what was let pass is in the result.

    Returns:
        What gives the predictions, with the file's hash. It is called once.
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
    file.let_go()

    def rest(images: ImageColumns, categories: Sequence[Category]) -> ReadPredictions:
        read = predictions_of_records(
            records, images, categories, task, extra=extra, source=str(path), lenient=lenient
        )
        return replace(read, sha256=file.sha256)

    return rest


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
    rest = begin_results_file(path, task)
    return rest(ImageColumns.of(tuple(images)), tuple(categories)).predictions


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
