"""COCO's summary numbers, of all categories and of each, and the precision-recall curves."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy, from_values, lists_from_numpy
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
    numbers = {}
    for value in curves.header.protocol.values:
        selected = _selected(curves, value)
        if value.categories is not None:
            selected = selected[:, np.isin(curves.header.category_ids, value.categories)]
        there = np.ascontiguousarray(selected[:, selected[0] > -1]).reshape(1, -1)
        numbers[value.name] = float(_means(there)[0]) if there.size else -1.0
    return numbers


def per_class(curves: PrecisionRecall) -> pa.Table:
    """``schemas.PER_CLASS``: the protocol's numbers of each category by itself."""
    values = [value for value in curves.header.protocol.values if value.categories is None]
    means = np.empty((len(curves.header.category_ids), len(values)))
    for v, value in enumerate(values):
        selected = _selected(curves, value)
        means[:, v] = np.where(selected[0] > -1, _means(np.ascontiguousarray(selected.T)), -1.0)
    flat = means.reshape(-1)
    columns = [
        from_numpy(np.repeat(np.array(curves.header.category_ids, np.int64), len(values))),
        from_values([value.name for value in values] * len(means), pa.string()),
        from_numpy(flat, flat > -1),
    ]
    return pa.Table.from_arrays(columns, schema=PER_CLASS)


def pr_curves(curves: PrecisionRecall) -> pa.Table:
    """``schemas.PR_CURVES`` at ``CURVE_IOUS``, of the categories that have truths to find.

    They are those of all areas and the largest number of detections. Of a protocol without such an
    area range or such thresholds, they are those of its first range and lowest threshold.
    """
    protocol = curves.header.protocol
    a = protocol.areas.index("all") if "all" in protocol.areas else 0
    m = len(protocol.max_detections) - 1
    ious = np.array(protocol.iou_thresholds)
    thresholds = np.flatnonzero(np.isin(ious, CURVE_IOUS))
    if not len(thresholds):
        thresholds = np.array([ious.argmin()])
    # By category, then threshold.
    k, t = np.nonzero(curves.recall[thresholds, :, a, m].T > -1)
    t = thresholds[t]
    points = np.arange(len(k) + 1) * len(protocol.recalls)
    columns = [
        from_numpy(np.array(curves.header.category_ids, np.int64)[k]),
        from_numpy(ious[t]),
        from_values([protocol.areas[a]] * len(k), pa.string()),
        from_numpy(np.full(len(k), protocol.max_detections[m], np.int32)),
        lists_from_numpy(np.tile(protocol.recalls, len(k)), points),
        lists_from_numpy(curves.precision[t, :, k, a, m].reshape(-1), points),
        lists_from_numpy(curves.scores[t, :, k, a, m].reshape(-1), points),
    ]
    return pa.Table.from_arrays(columns, schema=PR_CURVES)


def _selected(curves: PrecisionRecall, value: Value) -> NDArray[np.float64]:
    """(P, K) precisions or recalls that a number is the mean of; a category has all or none."""
    protocol = curves.header.protocol
    a = protocol.areas.index(value.area)
    m = protocol.max_detections.index(value.max_detections)
    values = curves.precision if value.kind == "precision" else curves.recall
    if value.iou is not None:
        values = values[[protocol.iou_thresholds.index(value.iou)]]
    values = values[..., a, m]
    return values.reshape(math.prod(values.shape[:-1]), values.shape[-1])


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) means of (N, P), contiguous."""
    total = np.zeros(len(values))
    for first in range(0, values.shape[1], SUMMATION_BLOCK):
        total += np.add.reduce(values[:, first : first + SUMMATION_BLOCK], axis=1)
    means: NDArray[np.float64] = total / values.shape[1]
    return means
