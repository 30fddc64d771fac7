"""Predictions from whatever a caller has: files, tables, arrays, records."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from benchsuite.columns.arrow_arrays import from_numpy
from benchsuite.columns.coco_results import extra_fields, read_results_file
from benchsuite.columns.file_bytes import FileBytes
from benchsuite.columns.image_columns import ImageColumns
from benchsuite.columns.predictions_of_records import ReadPredictions, predictions_of_records
from benchsuite.columns.record_list import RecordList
from benchsuite.columns.result_array import records_of_array
from benchsuite.columns.table_file import is_table_file, read_table
from benchsuite.columns.table_records import SIDES, TableRecords
from benchsuite.errors import DataMissingError, InputError, UsageError
from benchsuite.protocols import Predictions

if TYPE_CHECKING:
    from benchsuite.records import ImageRecord
    from benchsuite.specs import Category

_PLAIN = {"prediction", "image_id", "category_id", "score", "bbox", *(n for s in SIDES for n in s)}

_SHAPES = {"segm": {"segmentation"}, "keypoints": {"keypoints"}, "rotated": {"rotated_box"}}
"""Task to the columns that it needs beside those."""


def read_predictions(
    source: Any,
    images: Sequence[ImageRecord] | pa.Table,
    categories: Sequence[Category],
    task: str,
    *,
    lenient: bool = False,
) -> Predictions:
    """Predictions: see ``read_counted_predictions``."""
    return read_counted_predictions(source, images, categories, task, lenient=lenient).predictions


def read_counted_predictions(
    source: Any,
    images: Sequence[ImageRecord] | pa.Table,
    categories: Sequence[Category],
    task: str,
    *,
    lenient: bool = False,
) -> ReadPredictions:
    """Predictions, with the count of what was let pass and, of a file, its hash.

    Args:
        source: path of a COCO results file, of a Parquet or Arrow file (see ``table_records``), or
            of any format's file or folder; a list of records as in a results file; an array (N, 7)
            of image id, x, y, width, height, score and category id; an Arrow table, or anything
            that can be one (a pandas or Polars data frame); or ``Predictions``, which are returned.
        images: all images of the dataset, as records or as the table of a ``Truth``. Each gets a
            row in ``Predictions.images``.
        categories: all categories of the dataset.
        task: what they are scored for.
        lenient: see ``predictions_of_records``; has no effect on other formats than COCO's results,
            tables, arrays and records.

    Raises:
        DataMissingError: there is no such file.
        InputError: a record cannot be scored; names file and record.
        UsageError: the source is of none of these kinds.
    """
    if isinstance(source, Predictions):
        return ReadPredictions(source)
    columns = ImageColumns.of(images)
    if isinstance(source, (str, os.PathLike)):
        return _of_path(Path(os.fspath(source)), columns, categories, task, lenient)
    if isinstance(source, np.ndarray):
        records = records_of_array(source)
        return predictions_of_records(records, columns, categories, task, lenient=lenient)
    if hasattr(source, "__arrow_c_stream__"):
        table = as_table(source, "predictions")
        return _of_table(table, columns, categories, task, lenient)
    if isinstance(source, (list, tuple)):
        return predictions_of_records(
            RecordList(source, name="detections", file=None),
            columns,
            categories,
            task,
            extra=extra_fields(source),
            lenient=lenient,
        )
    raise UsageError(
        f"predictions are a path, a list of records, an array (N, 7) or a table, not a "
        f"{type(source).__name__}"
    )


def _of_path(
    path: Path, images: ImageColumns, categories: Sequence[Category], task: str, lenient: bool
) -> ReadPredictions:
    if not path.exists():
        raise DataMissingError(
            f"the predictions file {path} is not there (looked in {path.parent.absolute()})"
        )
    if is_table_file(path):
        return _of_table_file(path, images, categories, task, lenient)
    if path.suffix.lower() == ".json" or _begins_as_json(path):
        return read_results_file(path, images, categories, task, lenient=lenient)
    from benchsuite.formats import read_predictions as read_any_format
    from benchsuite.protocols import PredictionsRequest

    request = PredictionsRequest(path, images.records(), tuple(categories), task)
    return ReadPredictions(read_any_format(request))


def _begins_as_json(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(1000).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def _of_table_file(
    path: Path, images: ImageColumns, categories: Sequence[Category], task: str, lenient: bool
) -> ReadPredictions:
    """Only columns that the task needs are read."""
    file = FileBytes(path, what="predictions file")
    table = read_table(file, _among(_PLAIN | _SHAPES.get(task, set())))
    if not _first_has_box(table):
        # Masks or keypoints may stand in its place, and whether they do the first row says.
        table = read_table(file, _among(_PLAIN.union(*_SHAPES.values())))
    read = _of_table(table, images, categories, task, lenient, path)
    return replace(read, sha256=file.sha256)


def _among(wanted: set[str]) -> Callable[[list[str]], list[str]]:
    return lambda names: [name for name in names if name in wanted]


def _first_has_box(table: pa.Table) -> bool:
    names = [name for name in ("bbox", SIDES[0][0]) if name in table.column_names]
    return not len(table) or any(table[name].slice(0, 1).null_count == 0 for name in names)


def as_table(source: Any, what: str) -> pa.Table:
    """A table of something that can be one; ``what`` is what messages call it."""
    if isinstance(source, pa.Table):
        return source
    if isinstance(source, pa.RecordBatch):
        return pa.Table.from_batches([source])
    if not hasattr(source, "__arrow_c_stream__"):
        raise UsageError(f"a {type(source).__name__} is no table ({what})")
    try:
        return pa.RecordBatchReader.from_stream(source).read_all()
    except pa.ArrowException as error:
        problem = str(error).partition("\n")[0]
        raise InputError(f"the {what} cannot be made an Arrow table: {problem}") from error


def _of_table(
    table: pa.Table,
    images: ImageColumns,
    categories: Sequence[Category],
    task: str,
    lenient: bool,
    path: Path | None = None,
) -> ReadPredictions:
    rows = TableRecords(table, name="rows", file=path)
    places = rows.places()
    if (np.diff(places) < 0).any():
        order = np.argsort(places)
        table, places = table.take(from_numpy(order)), places[order]
        rows = TableRecords(table, name="rows in order of prediction", file=path)
    return predictions_of_records(
        rows.records(),
        images,
        categories,
        task,
        places=places,
        rotated=table["rotated_box"] if "rotated_box" in table.column_names else None,
        source="" if path is None else str(path),
        lenient=lenient,
    )
