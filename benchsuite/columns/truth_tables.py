"""Truth as three tables: images, annotations and, where ids alone do not say enough, categories.

The tables have the columns of ``schemas.TRUTH_IMAGES`` and ``TRUTH_INSTANCES``, or those of their
columns that there is something in; a column may be called by the name that the field has in COCO's
files (``id``, ``ignore``, ``neg_category_ids``). As files they are ``images.parquet``,
``annotations.parquet`` and ``categories.parquet`` of one folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from benchsuite.columns.arrow_arrays import as_type, from_numpy, to_numpy
from benchsuite.columns.table_records import TableRecords
from benchsuite.columns.truth import TruthColumns
from benchsuite.errors import InputError
from benchsuite.protocols import Truth
from benchsuite.schemas import TRUTH_IMAGES, TRUTH_INSTANCES
from benchsuite.specs import KeypointLayout

_FIELDS = {
    "annotation_id": "id",
    "difficult": "ignore",
    "negative_category_ids": "neg_category_ids",
}
"""Columns whose fields have another name in COCO's files."""

_IMAGE_FIELDS = (
    *("id", "file_name", "width", "height"),
    *("neg_category_ids", "not_exhaustive_category_ids"),
)


class TruthTables:
    """Truth of tables, as ``TruthColumns`` reads it.

    Args:
        images: a row an image.
        annotations: a row an annotation.
        categories: a row a category (``id``, ``name``, ``isthing``, ``supercategory``,
            ``frequency``, ``keypoints``); ``None``: those that have an annotation, their ids as
            names.
        source: what messages call the place that the tables are from.

    Attributes:
        columns: the truth.
        categories: the categories as records.

    Raises:
        InputError: a row lacks a field, holds something else than the field means, or refers to an
            image or category that is not there.
    """

    def __init__(
        self, images: pa.Table, annotations: pa.Table, categories: pa.Table | None, source: str = ""
    ) -> None:
        self._images = _renamed(images, {**_FIELDS, "image_id": "id"})
        self._annotations = _renamed(annotations, _FIELDS)
        self.categories = (
            _named_by_id(self._annotations, source)
            if categories is None
            else _renamed(categories, {"category_id": "id"}).to_pylist()
        )
        kept = [name for name in self._images.column_names if name in _IMAGE_FIELDS]
        reader = TableRecords(self._annotations, name="annotations", file=source or None)
        records = reader.records()
        self.columns = TruthColumns(
            self._images.select(kept).to_pylist(), records, self.categories, source=source
        )

    def truth(self, task: str | None, layout: KeypointLayout | None = None) -> Truth:
        """Truth for a task: see ``TruthColumns.truth``; with the columns that only tables have."""
        truth = self.columns.truth(task, layout)
        ids = to_numpy(self._images["id"])
        images = self._images
        if (np.diff(ids) < 0).any():
            images = images.take(from_numpy(np.argsort(ids, kind="stable")))
        return replace(
            truth,
            images=_completed(truth.images, images, TRUTH_IMAGES),
            instances=_completed(truth.instances, self._annotations, TRUTH_INSTANCES),
        )


def _renamed(table: pa.Table, fields: Mapping[str, str]) -> pa.Table:
    """The table with the names that the fields have in COCO's files."""
    there = set(table.column_names)
    names = [
        fields[name] if name in fields and fields[name] not in there else name
        for name in table.column_names
    ]
    return table.rename_columns(names)


def _named_by_id(annotations: pa.Table, source: str) -> Sequence[dict[str, Any]]:
    if "category_id" not in annotations.column_names:
        raise InputError("the column 'category_id' is missing", file=source or None)
    ids = np.unique(to_numpy(annotations["category_id"])).tolist()
    return [{"id": identity, "name": str(identity)} for identity in ids]


def _completed(table: pa.Table, given: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table, its empty columns filled with those given that COCO's records do not have."""
    for place, field in enumerate(schema):
        if field.name in given.column_names and field.name not in _READ:
            table = table.set_column(place, field, as_type(given[field.name], field.type))
    return table


_READ = {
    *(*_FIELDS, *_IMAGE_FIELDS, "image_id", "category_id", "area", "iscrowd", "num_keypoints"),
    *("bbox", "segmentation", "keypoints"),
}
"""What ``TruthColumns`` makes of its records."""
