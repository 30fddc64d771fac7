"""The images that are scored: those of the truth that were run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy, to_numpy
from benchsuite.errors import InputError
from benchsuite.protocols import Predictions, Truth


def scored_images(truth: Truth, predictions: Predictions) -> tuple[pa.Table, pa.Table]:
    """The rows of ``truth.images`` and ``predictions.images`` that are scored, row for row.

    Returns:
        Both tables by ascending image id.

    Raises:
        InputError: an image was run that the truth does not have.
    """
    run, place = np.unique(to_numpy(predictions.images["image_id"]), return_index=True)
    known, where = np.unique(to_numpy(truth.images["image_id"]), return_index=True)
    unknown = run[~np.isin(run, known)]
    if len(unknown):
        raise InputError(
            f"image_id {unknown[0]} is not among the images of {truth.source or 'the dataset'}",
            file=predictions.source or None,
        )
    wanted = where[np.searchsorted(known, run)]
    return _rows(truth.images, wanted), _rows(predictions.images, place)


def _rows(table: pa.Table, rows: NDArray[np.integer[Any]]) -> pa.Table:
    # Taking rows imports pyarrow's functions, which most often is not worth the wait.
    unchanged = np.array_equal(rows, np.arange(len(table)))
    return table if unchanged else table.take(from_numpy(rows))
