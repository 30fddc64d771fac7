"""Tables of detection errors: one row an error, and one a category and type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy, from_values
from benchsuite_plugins.metrics.detection_errors import ERRORS, DetectionErrors

ERROR_ROWS = pa.schema(
    [
        pa.field("image_id", pa.int64(), nullable=False),
        pa.field("error", pa.string(), nullable=False),
        pa.field("prediction", pa.int64()),
        pa.field("category_id", pa.int64()),
        pa.field("score", pa.float64()),
        pa.field("annotation_id", pa.int64()),
        pa.field("truth_category_id", pa.int64()),
        pa.field("iou", pa.float64()),
    ]
)
"""One row an error. ``annotation_id`` is the truth that it is about, null where there is none;
``iou`` is the overlap with it, or else the largest with any truth, 0 where none is known. A miss
has no prediction."""

PER_CLASS_ERRORS = pa.schema(
    [
        pa.field("category_id", pa.int64(), nullable=False),
        pa.field("error", pa.string(), nullable=False),
        pa.field("count", pa.float64(), nullable=False),
        pa.field("delta_ap", pa.float64()),
    ]
)
"""One row a category and type. ``count`` is that of detections of the category, for ``Miss`` that
of its truths. ``delta_ap`` is what the category's own average precision gains (or, below 0, loses);
null where the category has no truths."""


def per_class_errors(
    category_ids: Sequence[int],
    counts: NDArray[np.float64],
    fixed: NDArray[np.float64],
    as_it_is: NDArray[np.float64],
) -> pa.Table:
    """``PER_CLASS_ERRORS`` of (K, 6) counts and average precisions and (K,) as it is."""
    known = (fixed > -1) & (as_it_is > -1)[:, None]
    columns = [
        from_numpy(np.repeat(np.array(category_ids, np.int64), len(ERRORS))),
        from_values(ERRORS * len(category_ids), pa.string()),
        from_numpy(counts.reshape(-1)),
        from_numpy((fixed - as_it_is[:, None]).reshape(-1), known.reshape(-1)),
    ]
    return pa.Table.from_arrays(columns, schema=PER_CLASS_ERRORS)


def error_rows(found: DetectionErrors) -> pa.Table:
    """``ERROR_ROWS``: detections, then truths that are missed."""
    detections, truths = found.detections, found.truths
    wrong, missed = np.flatnonzero(found.kinds >= 0), np.flatnonzero(found.missed)
    about = found.nearest[wrong]
    known = np.concatenate([about >= 0, np.ones(len(missed), np.bool_)])
    named = np.concatenate([np.maximum(about, 0), missed])
    of_detection = np.repeat([True, False], [len(wrong), len(missed)])

    def detected(values: NDArray[Any]) -> pa.Array[Any]:
        none = np.zeros(len(missed), values.dtype)
        return from_numpy(np.concatenate([values[wrong], none]), of_detection)

    def of_truth(values: NDArray[Any]) -> pa.Array[Any]:
        padded = values if len(values) else np.zeros(1, values.dtype)
        return from_numpy(padded[named], known)

    kinds = np.concatenate([found.kinds[wrong], np.full(len(missed), ERRORS.index("Miss"))])
    columns = [
        from_numpy(np.concatenate([detections.images[wrong], truths.images[missed]])),
        from_values(ERRORS, pa.string()).take(from_numpy(kinds.astype(np.int64))),
        detected(detections.sources),
        detected(detections.categories),
        detected(detections.scores),
        of_truth(truths.sources),
        of_truth(truths.categories),
        detected(found.overlaps),
    ]
    return pa.Table.from_arrays(columns, schema=ERROR_ROWS)
