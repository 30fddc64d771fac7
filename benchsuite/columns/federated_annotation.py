"""What an image's record says of categories that were not looked for everywhere (LVIS).

In a federated dataset an image is searched for some categories alone. ``neg_category_ids`` are
those that it was searched for and does not hold, ``not_exhaustive_category_ids`` those of which not
every object in it is annotated. (Gupta et al., LVIS: A Dataset for Large Vocabulary Instance
Segmentation, 2019.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_values
from benchsuite.columns.plain_values import integer, shown
from benchsuite.columns.record_list import RecordList

FIELDS = {
    "negative_category_ids": "neg_category_ids",
    "not_exhaustive_category_ids": "not_exhaustive_category_ids",
}
"""Column of ``schemas.TRUTH_IMAGES`` to the field of an image's record."""

FREQUENCIES = ("r", "c", "f")
"""Rare, common, frequent: how many images of the training set hold a category."""


def federated_columns(images: RecordList, order: NDArray[np.int64]) -> dict[str, pa.Array[Any]]:
    """The columns of ``FIELDS`` that the records state, rows in the order given.

    A list that is empty is not one that is missing: only the latter means that every category was
    looked for.

    Raises:
        InputError: a field is no list of category ids.
    """
    columns: dict[str, pa.Array[Any]] = {}
    for column, field in FIELDS.items():
        if not any(field in record for record in images.records):
            continue
        lists = [_ids(images, row, field) for row in range(len(images))]
        if any(ids is not None for ids in lists):
            columns[column] = from_values([lists[row] for row in order], pa.list_(pa.int64()))
    return columns


def frequencies(categories: RecordList) -> list[str]:
    """Each category's ``frequency``: one of ``FREQUENCIES``; empty where it is anything else."""
    stated = categories.values("frequency")
    return [value if value in FREQUENCIES else "" for value in stated]


def _ids(images: RecordList, row: int, field: str) -> list[int] | None:
    value = images.records[row].get(field)
    if value is None:
        return None
    if not isinstance(value, (list, tuple)):
        raise images.names.error(row, f"the field {field!r} is {shown(value)}, not a list of ids")
    try:
        return [integer(item) for item in value]
    except ValueError as error:
        raise images.names.error(row, f"the field {field!r} holds a value that {error}") from None
