"""The images that are scored: those of the truth that were run."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

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
    ids = to_numpy(truth.images["image_id"])
    known, where = np.unique(ids, return_index=True)
    unknown = run[~np.isin(run, known)]
    if len(unknown):
        raise InputError(
            f"image_id {unknown[0]} is not among the images of {truth.source or 'the dataset'}",
            file=predictions.source or None,
        )
    return (
        truth.images.take(from_numpy(where[np.searchsorted(known, run)])),
        predictions.images.take(from_numpy(place)),
    )
