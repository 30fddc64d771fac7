"""COCO's summary numbers, of all categories and of each, and the precision-recall curves."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.schemas import PER_CLASS, PR_CURVES
from benchsuite_plugins.metrics.coco_protocol import Value
from benchsuite_plugins.metrics.precision_recall import PrecisionRecall

CURVE_IOUS = (0.5, 0.75)
"""IoU thresholds (OKS thresholds, for keypoints) whose curves are kept."""

SUMMATION_BLOCK = 8192
"""Values that are summed in one go.

COCOeval leaves the mean to NumPy, whose ``mean`` summed in blocks of this length until version 2.2
and without them since 2.3, so that pycocotools' own summary changed in its last digit. Published
numbers are those of the blocks; they are kept here, whatever NumPy is installed.
"""


def summary(curves: PrecisionRecall) -> dict[str, float]:
    """The protocol's numbers, unscaled, -1 where there is no truth to find."""
    return {value.name: _mean(_selected(curves, value)) for value in curves.header.protocol.values}


def per_class(curves: PrecisionRecall) -> pa.Table:
    """``schemas.PER_CLASS``: the protocol's numbers of each category by itself."""
    rows = []
    for value in curves.header.protocol.values:
        if value.categories is not None:
            continue
        selected = _selected(curves, value)
        for k, category_id in enumerate(curves.header.category_ids):
            mean = _mean(selected[..., k, :])
            rows.append((category_id, value.name, None if mean == -1 else mean))
    rows.sort(key=lambda row: row[0])
    columns = zip(*rows) if rows else ((), (), ())
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, PER_CLASS)],
        schema=PER_CLASS,
    )


def pr_curves(curves: PrecisionRecall) -> pa.Table:
    """``schemas.PR_CURVES`` at ``CURVE_IOUS``, of the categories that have truths to find.

    They are those of all areas and the largest number of detections.
    """
    protocol = curves.header.protocol
    a, m = protocol.areas.index("all"), len(protocol.max_detections) - 1
    rows = [
        {
            "category_id": category_id,
            "iou": iou,
            "area": "all",
            "max_detections": protocol.max_detections[m],
            "recall": protocol.recalls,
            "precision": curves.precision[t, :, k, a, m].tolist(),
            "score": curves.scores[t, :, k, a, m].tolist(),
        }
        for k, category_id in enumerate(curves.header.category_ids)
        for t, iou in enumerate(protocol.iou_thresholds)
        if iou in CURVE_IOUS and curves.recall[t, k, a, m] > -1
    ]
    return pa.Table.from_pylist(rows, schema=PR_CURVES)


def _selected(curves: PrecisionRecall, value: Value) -> NDArray[np.float64]:
    """(T, R, K, 1) precisions or (T, K, 1) recalls that a number is the mean of."""
    protocol = curves.header.protocol
    a = protocol.areas.index(value.area)
    m = protocol.max_detections.index(value.max_detections)
    values = curves.precision if value.kind == "precision" else curves.recall
    if value.iou is not None:
        values = values[[protocol.iou_thresholds.index(value.iou)]]
    values = values[..., a, m : m + 1]
    if value.categories is None:
        return values
    return values[..., np.isin(curves.header.category_ids, value.categories), :]


def _mean(values: NDArray[np.float64]) -> float:
    """The mean of those that are there; -1 if none is."""
    there = values[values > -1]
    if not len(there):
        return -1.0
    total = 0.0
    for first in range(0, len(there), SUMMATION_BLOCK):
        # Not sum(): Python's compensates for rounding since 3.12.
        total += float(np.add.reduce(there[first : first + SUMMATION_BLOCK]))
    return total / len(there)
