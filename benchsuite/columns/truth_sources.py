"""Truth from whatever a caller has: files, datasets by name, dictionaries, tables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchsuite.columns.arrow_arrays import to_numpy
from benchsuite.columns.file_bytes import FileBytes
from benchsuite.columns.keypoint_categories import keypoint_layout
from benchsuite.columns.prediction_sources import as_table
from benchsuite.columns.table_file import read_table
from benchsuite.columns.truth import TruthColumns
from benchsuite.columns.truth_tables import TruthTables
from benchsuite.errors import InputError, UsageError
from benchsuite.protocols import Truth
from benchsuite.specs import KeypointLayout

SECTIONS = ("images", "annotations", "categories")


def read_truth(
    source: Any, task: str | None = None, *, keypoints: KeypointLayout | None = None
) -> Truth:
    """Truth for a task.

    Args:
        source: path of an annotation file or of any format's file or folder, or a dataset's name
            (``"coco/val2017"``); COCO's dictionary; tables of images, annotations and, optionally,
            categories (see ``truth_tables``), as a dictionary or in this order, each an Arrow
            table, something that can be one, or the path of a Parquet or Arrow file; or a
            ``Truth``, which is returned.
        task: what it is for; ``None``: everything that is there.
        keypoints: their layout; ``None``: as the categories describe it.

    Raises:
        DataMissingError: there is no such file or dataset.
        InputError: the truth cannot be used; names file and record.
        UsageError: the source is of none of these kinds.
    """
    if isinstance(source, Truth):
        return source
    if isinstance(source, (str, os.PathLike)):
        return _of_path(os.fspath(source), task)
    if isinstance(source, (list, tuple)) and len(source) in (2, 3):
        source = dict(zip(SECTIONS, source))
    if not isinstance(source, Mapping):
        raise UsageError(
            "truth is a path, a dictionary as COCO's annotation files hold it, or tables of images"
            f" and annotations, not a {type(source).__name__}"
        )
    for section in SECTIONS[:2]:
        if section not in source:
            raise InputError(f"the truth has no {section!r}")
    if isinstance(source["annotations"], (list, tuple)):
        categories = source.get("categories")
        if categories is None:
            raise InputError("the truth has no 'categories'")
        columns = TruthColumns(source["images"], source["annotations"], categories)
        return columns.truth(task, _layout(keypoints, categories, columns.keypoint_count, task))
    tables = {section: _table(source[section]) for section in SECTIONS if section in source}
    truth = TruthTables(tables["images"], tables["annotations"], tables.get("categories"))
    layout = _layout(keypoints, truth.categories, truth.columns.keypoint_count, task)
    return truth.truth(task, layout)


def truth_warnings(truth: Truth) -> tuple[str, ...]:
    """What whoever reads the numbers has to know of the truth."""
    zero = np.flatnonzero(to_numpy(truth.instances["annotation_id"]) == 0)
    if not len(zero):
        return ()
    where = f" of {truth.source}" if truth.source else ""
    warning = (
        f"annotations[{zero[0]}]{where} has the id 0, which pycocotools takes for 'no match': what"
        " finds it counts as a false positive, here as there. Number annotations from 1 to have it"
        " found"
    )
    return (warning,)


def _of_path(source: str, task: str | None) -> Truth:
    if task is None and Path(source).exists():
        from benchsuite.formats import read_truth as read_any_format
        from benchsuite.protocols import TruthRequest

        return read_any_format(TruthRequest(Path(source)))
    from benchsuite.resolve import open_dataset
    from benchsuite.scoring import truth_of

    dataset = open_dataset(source, tasks=() if task is None else (task,)).dataset
    return truth_of(dataset, dataset.tasks[0] if task is None else task)


def _table(source: Any) -> pa.Table:
    if isinstance(source, (str, os.PathLike)):
        return read_table(FileBytes(Path(os.fspath(source)), what="truth"))
    return as_table(source, "truth")


def _layout(
    given: KeypointLayout | None, categories: Any, count: int, task: str | None
) -> KeypointLayout | None:
    """The layout of ``count`` keypoints, where it is needed."""
    if given is not None or not count or task not in (None, "keypoints"):
        return given
    layout = keypoint_layout(categories, count, (), file=None)
    if layout is None and task == "keypoints":
        raise InputError(
            f"the truth's annotations carry {count} keypoints, whose sigmas are not known",
            remedy="Give the keypoints' layout",
        )
    return layout
