"""Truth and predictions as Parquet: columns that are read without being parsed.

Truth is a folder of ``images.parquet``, ``annotations.parquet`` and ``categories.parquet``, whose
columns ``benchsuite.columns.truth_tables`` describes; predictions are one Parquet (or Arrow) file,
described in ``benchsuite.columns.table_records``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchsuite.columns.arrow_arrays import from_rows
from benchsuite.columns.file_bytes import FileBytes
from benchsuite.columns.keypoint_categories import keypoint_layout
from benchsuite.columns.prediction_sources import read_predictions as read_any_predictions
from benchsuite.columns.table_file import read_table
from benchsuite.columns.truth_tables import TruthTables
from benchsuite.protocols import Predictions, PredictionsRequest, Truth, TruthRequest, WriteRequest
from benchsuite.specs import Category, KeypointLayout
from benchsuite_plugins.formats.recognition import PARQUET_TRUTH

FILES = (*PARQUET_TRUTH, "categories.parquet")

_CATEGORIES = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("isthing", pa.bool_(), nullable=False),
        pa.field("supercategory", pa.string(), nullable=False),
        pa.field("frequency", pa.string(), nullable=False),
        pa.field("keypoints", pa.list_(pa.string())),
        pa.field("skeleton", pa.list_(pa.list_(pa.int64(), 2))),
    ]
)


def read_truth(request: TruthRequest) -> Truth:
    """Truth of a folder, for the task asked for or all of them.

    Raises:
        DataMissingError: there is no such folder, or a file is missing.
        InputError: a file is damaged or a row malformed; names file and row.
    """
    images = _table(request.path / FILES[0])
    annotations = _table(request.path / FILES[1], _needed(request.task))
    listed = request.path / FILES[2]
    categories: pa.Table | None = None
    if request.categories:
        categories = from_rows(map(_category, request.categories), _CATEGORIES)
    elif listed.is_file():
        categories = _table(listed)
    tables = TruthTables(images, annotations, categories, str(request.path / FILES[1]))
    count = tables.columns.keypoint_count
    layout = request.keypoints
    if layout is None and count:
        layout = keypoint_layout(tables.categories, count, (), file=listed)
    task = request.task if request.task in ("bbox", "segm", "keypoints") else None
    return tables.truth(task, layout)


def read_predictions(request: PredictionsRequest) -> Predictions:
    """Predictions of a Parquet or Arrow file."""
    return read_any_predictions(
        request.path, request.images, request.categories, request.task or "bbox"
    )


def write_truth(truth: Truth, request: WriteRequest) -> Mapping[str, int]:
    """Writes the folder. Nothing is lost but the sigmas of keypoints."""
    request.path.mkdir(exist_ok=True)
    rows = [_category(category, truth.keypoints) for category in truth.categories]
    tables = (truth.images, truth.instances, from_rows(rows, _CATEGORIES))
    for name, table in zip(FILES, tables):
        _write(table, request.path / name)
    return {}


def write_predictions(predictions: Predictions, request: WriteRequest) -> Mapping[str, int]:
    """Writes the file. Nothing is lost."""
    _write(predictions.instances, request.path)
    return {}


def _table(path: Path, choose: Callable[[list[str]], list[str]] = list) -> pa.Table:
    return read_table(FileBytes(path, what="truth"), choose)


def _needed(task: str) -> Callable[[list[str]], list[str]]:
    """The columns of annotations that a task needs: masks cost more than all the rest."""

    def choose(names: list[str]) -> list[str]:
        unused = {"bbox": {"segmentation", "keypoints"}, "keypoints": {"segmentation"}}
        left_out = unused.get(task, set()) if "area" in names else set()
        return [name for name in names if name not in left_out]

    return choose


def _write(table: pa.Table, path: Path) -> None:
    with path.open("xb") as file:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())


def _category(category: Category, keypoints: KeypointLayout | None = None) -> dict[str, object]:
    row: dict[str, object] = {
        "id": category.id,
        "name": category.name,
        "isthing": category.isthing,
        "supercategory": category.supercategory,
        "frequency": category.frequency,
    }
    if keypoints is not None:
        row["keypoints"] = list(keypoints.names)
        row["skeleton"] = [[first + 1, second + 1] for first, second in keypoints.skeleton]
    return row
