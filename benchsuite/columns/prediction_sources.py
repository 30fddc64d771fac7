"""Predictions from whatever a caller has: files, tables, arrays, records."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from benchsuite.columns.arrow_arrays import from_numpy
from benchsuite.columns.coco_results import RestOfReading, begin_results_file, extra_fields
from benchsuite.columns.file_bytes import FileBytes
from benchsuite.columns.image_columns import ImageColumns
from benchsuite.columns.predictions_of_records import ReadPredictions, predictions_of_records
from benchsuite.columns.record_checks import CheckedRecords
from benchsuite.columns.record_list import RecordList
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
    rest = begin_predictions(source, task, lenient=lenient)
    return rest(ImageColumns.of(images), categories)


def begin_predictions(source: Any, task: str, *, lenient: bool = False) -> RestOfReading:
    """As ``read_counted_predictions``, in two steps: all that needs no dataset, and the rest.

    Whoever has threads begins with the predictions while the truth is read.
    """
    if isinstance(source, Predictions):
        return lambda images, categories: ReadPredictions(source)
    if isinstance(source, (str, os.PathLike)):
        return _begin_path(Path(os.fspath(source)), task, lenient)
    if hasattr(source, "__arrow_c_stream__"):
        return _begin_table(as_table(source, "predictions"), task, lenient)
    if isinstance(source, np.ndarray):
        from benchsuite.columns.result_array import records_of_array

        records: CheckedRecords = records_of_array(source)
        return partial(predictions_of_records, records, task=task, lenient=lenient)
    if isinstance(source, (list, tuple)):
        records = RecordList(source, name="detections", file=None)
        extra = extra_fields(source)
        return partial(predictions_of_records, records, task=task, extra=extra, lenient=lenient)
    raise UsageError(
        f"predictions are a path, a list of records, an array (N, 7) or a table, not a "
        f"{type(source).__name__}"
    )


def _begin_path(path: Path, task: str, lenient: bool) -> RestOfReading:
    if not path.exists():
        raise DataMissingError(
            f"the predictions file {path} is not there (looked in {path.parent.absolute()})"
        )
    if is_table_file(path):
        return _begin_table_file(path, task, lenient)
    if path.suffix.lower() == ".json" or _begins_as_json(path):
        return begin_results_file(path, task, lenient=lenient)
    return partial(_of_any_format, path, task)


def _of_any_format(
    path: Path, task: str, images: ImageColumns, categories: Sequence[Category]
) -> ReadPredictions:
    from benchsuite.formats import read_predictions as read_any_format
    from benchsuite.protocols import PredictionsRequest

    request = PredictionsRequest(path, images.records(), tuple(categories), task)
    return ReadPredictions(read_any_format(request))


def _begins_as_json(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(1000).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def _begin_table_file(path: Path, task: str, lenient: bool) -> RestOfReading:
    """Only columns that the task needs are read."""
    file = FileBytes(path, what="predictions file")
    table = read_table(file, _among(_PLAIN | _SHAPES.get(task, set())))
    if not _first_has_box(table):
        # Masks or keypoints may stand in its place, and whether they do the first row says.
        table = read_table(file, _among(_PLAIN.union(*_SHAPES.values())))
    read = _begin_table(table, task, lenient, path)
    file.let_go()

    def rest(images: ImageColumns, categories: Sequence[Category]) -> ReadPredictions:
        return replace(read(images, categories), sha256=file.sha256)

    return rest


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


def _begin_table(
    table: pa.Table, task: str, lenient: bool, path: Path | None = None
) -> RestOfReading:
    rows = TableRecords(table, name="rows", file=path)
    places = rows.places()
    if (np.diff(places) < 0).any():
        order = np.argsort(places)
        table, places = table.take(from_numpy(order)), places[order]
        rows = TableRecords(table, name="rows in order of prediction", file=path)
    return partial(
        predictions_of_records,
        rows.records(),
        task=task,
        places=places,
        rotated=table["rotated_box"] if "rotated_box" in table.column_names else None,
        source="" if path is None else str(path),
        lenient=lenient,
    )
