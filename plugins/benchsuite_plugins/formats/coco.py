"""COCO's JSON as a format: annotation files and results files, read and written.

Lin et al., Microsoft COCO: Common Objects in Context, 2014; the fields of LVIS (Gupta et al., 2019)
are kept too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import pyarrow as pa

from benchsuite.columns.annotation_file import AnnotationFile
from benchsuite.columns.arrow_arrays import is_present
from benchsuite.columns.coco_results import read_coco_results
from benchsuite.columns.coco_results_writer import write_coco_results
from benchsuite.columns.keypoint_categories import keypoint_layout
from benchsuite.columns.predictions_of_records import FIELDS
from benchsuite.protocols import Predictions, PredictionsRequest, Truth, TruthRequest, WriteRequest
from benchsuite.specs import Category, KeypointLayout
from benchsuite_plugins.formats.losses import prediction_losses, truth_losses

_KEPT = (
    "annotation_id",
    "area",
    "bbox",
    "category_id",
    "difficult",
    "image_id",
    "keypoints",
    "negative_category_ids",
    "segmentation",
)


def read_truth(request: TruthRequest) -> Truth:
    """Truth of an annotation file, for the task asked for or all of them.

    Raises:
        DataMissingError: there is no such file.
        InputError: it is malformed; names the record.
    """
    file = AnnotationFile(request.path)
    categories: Any = request.categories or file.list_field("categories")
    columns = file.truth(categories)
    layout = request.keypoints
    if layout is None and columns.keypoint_count and not request.categories:
        layout = keypoint_layout(categories, columns.keypoint_count, (), file=request.path)
    task = request.task if request.task in (*FIELDS, "rotated") else None
    return columns.truth(task, layout)


def read_predictions(request: PredictionsRequest) -> Predictions:
    """Predictions of a results file: see ``read_coco_results``."""
    return read_coco_results(request.path, request.images, request.categories, request.task)


def write_predictions(predictions: Predictions, request: WriteRequest) -> Mapping[str, int]:
    """Writes a results file of everything that is not null.

    Where there are rotated boxes they are what ``bbox`` holds, unless the task is another.

    Returns:
        What it cannot hold, counted.

    Raises:
        ContractError: a prediction lacks what the task is scored by.
    """
    turned = is_present(predictions.instances["rotated_box"])
    task = request.task or ("rotated" if turned.any() else "bbox")
    write_coco_results(predictions, request.path, task)
    kept = (*FIELDS.values(), "extra")
    if task != "rotated":
        return prediction_losses(predictions, kept)
    return prediction_losses(predictions, (*kept, "rotated_box")) | _covered(predictions.instances)


def _covered(instances: pa.Table) -> dict[str, int]:
    """The boxes in whose place rotated ones are written."""
    covered = is_present(instances["bbox"]) & is_present(instances["rotated_box"])
    return {"boxes beside rotated ones": int(covered.sum())} if covered.any() else {}


def write_truth(truth: Truth, request: WriteRequest) -> Mapping[str, int]:
    """Writes an annotation file: images, annotations and categories.

    Difficult objects get the field ``ignore``, as in published conversions of Pascal VOC; COCO's
    protocol pays no regard to it. Where there are rotated boxes they are what ``bbox`` holds, as in
    Detectron2, unless the task is another.

    Returns:
        What it cannot hold, counted.
    """
    sections = {
        "images": _images(truth),
        "annotations": _annotations(truth, request),
        "categories": (_category(each, truth.keypoints) for each in truth.categories),
    }
    with request.path.open("x", encoding="utf-8") as file:
        before = "{"
        for name, records in sections.items():
            file.write(f'{before}"{name}": [')
            between = "\n"
            for record in records:
                file.write(f"{between}{json.dumps(record)}")
                between = ",\n"
            file.write("]")
            before = ",\n"
        file.write("}\n")
    if request.task not in ("", "rotated"):
        return truth_losses(truth, _KEPT)
    return truth_losses(truth, (*_KEPT, "rotated_box")) | _covered(truth.instances)


def _images(truth: Truth) -> Iterator[dict[str, Any]]:
    names = {
        "image_id": "id",
        "file_name": "file_name",
        "width": "width",
        "height": "height",
        "negative_category_ids": "neg_category_ids",
        "not_exhaustive_category_ids": "not_exhaustive_category_ids",
    }
    for row in truth.images.select(list(names)).to_pylist():
        yield {names[name]: value for name, value in row.items() if value is not None}


def _annotations(truth: Truth, request: WriteRequest) -> Iterator[dict[str, Any]]:
    fields = ("image_id", "category_id", "bbox", "area", "segmentation", "keypoints")
    turned = request.task in ("", "rotated")
    with request.progress("writing annotations", truth.instances.num_rows) as shown:
        batches = truth.instances.to_batches(max_chunksize=4096)
        for row in chain.from_iterable(batch.to_pylist() for batch in batches):
            record = {"id": row["annotation_id"]}
            record |= {name: row[name] for name in fields if row[name] is not None}
            record["iscrowd"] = int(row["iscrowd"])
            if row["segmentation"] is not None:
                rle = row["segmentation"]
                record["segmentation"] = {**rle, "counts": rle["counts"].decode("ascii")}
            if row["keypoints"] is not None:
                record["num_keypoints"] = row["num_keypoints"]
            if turned and row["rotated_box"] is not None:
                record["bbox"] = row["rotated_box"]
            if row["difficult"]:
                record["ignore"] = 1
            yield record
            shown.advance(1)


def _category(category: Category, keypoints: KeypointLayout | None) -> dict[str, Any]:
    record: dict[str, Any] = {"id": category.id, "name": category.name}
    if category.supercategory:
        record["supercategory"] = category.supercategory
    if category.frequency:
        record["frequency"] = category.frequency
    if not category.isthing:
        record["isthing"] = 0
    if keypoints is not None:
        record["keypoints"] = list(keypoints.names)
        record["skeleton"] = [[first + 1, second + 1] for first, second in keypoints.skeleton]
    return record
