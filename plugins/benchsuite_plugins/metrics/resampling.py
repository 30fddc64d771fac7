"""A match table's summary under many weightings of the images."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.errors import ContractError
from benchsuite_kernels.columns.resampled_means import CurveMean, resampled_means
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.metrics.image_weights import require_weights
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.precision_recall import counting_order, curve_axes, match_rows


def resample(
    matches: pa.Table, image_ids: NDArray[np.int64], weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """The summary for each row of weights, as ``benchsuite.protocols.ResampledMetric`` has it.

    Args:
        matches: a match table, rows in any order.
        image_ids: (I,), each once; an image that is not among them does not count.
        weights: (R, I), how often each image counts.

    Returns:
        (R,) for each of the protocol's values: to the bit what ``coco_summary.summary`` makes of
        ``precision_recall.accumulate`` with that row of weights.

    Raises:
        ContractError: the table is no match table, a weight is negative or not finite, or an image
            is named twice.
    """
    header = MatchHeader.of(matches)
    order = np.argsort(image_ids, kind="stable")
    ascending = image_ids[order]
    if (ascending[1:] == ascending[:-1]).any():
        raise ContractError("an image is named twice among those to be weighted")
    require_weights(image_ids, weights)
    if (order[1:] < order[:-1]).any():
        weights = weights[:, order]
    rows = match_rows(matches, header)
    values = header.protocol.values
    means = resampled_means(
        rows,
        counting_order(rows, header),
        curve_axes(header.protocol),
        _curve_means(header),
        ascending,
        weights,
        threads=evaluation_threads(),
    )
    return {value.name: means[:, v] for v, value in enumerate(values)}


def _curve_means(header: MatchHeader) -> list[CurveMean]:
    """The protocol's values as places in its curves."""
    protocol = header.protocol
    return [
        CurveMean(
            of_recall=value.kind == "recall",
            area=protocol.areas.index(value.area),
            number=protocol.max_detections.index(value.max_detections),
            threshold=None if value.iou is None else protocol.iou_thresholds.index(value.iou),
            categories=None
            if value.categories is None
            else np.isin(header.category_ids, value.categories),
        )
        for value in protocol.values
    ]
