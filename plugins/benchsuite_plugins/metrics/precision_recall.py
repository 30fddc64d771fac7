"""Precision and recall of COCO match tables, equal to ``COCOeval.accumulate`` to the bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import to_numpy
from benchsuite.errors import ContractError
from benchsuite_kernels.columns.match_order import MatchOrder, MatchRows, match_order
from benchsuite_kernels.columns.precision_recall import CurveAxes, precision_recall
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.metrics.coco_protocol import CocoProtocol
from benchsuite_plugins.metrics.image_weights import weight_arrays
from benchsuite_plugins.metrics.match_table import MatchHeader


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """What COCOeval calls ``eval``; -1 where there is no truth to find.

    T, R, K, A and M are the protocol's IoU thresholds and recalls, the categories, the area ranges
    and the numbers of detections.

    Attributes:
        header: what the axes stand for.
        precision: (T, R, K, A, M), the best precision at this recall or a higher one; 0 where the
            recall is not reached.
        recall: (T, K, A, M), the recall of all detections.
        scores: (T, R, K, A, M), the score at which the recall is reached; 0 where it is not.
    """

    header: MatchHeader
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    scores: NDArray[np.float64]


def accumulate(
    matches: pa.Table, image_weights: Mapping[int, float] | None = None
) -> PrecisionRecall:
    """Precision and recall of a match table.

    Args:
        matches: rows in any order; tables of different images may be concatenated.
        image_weights: image id to how often the image counts; an image not named counts 0. If all
            are whole numbers, the outcome is to the bit that of an image set in which each image
            stands that many times, its copies next to each other. ``None``: each counts once.

    Raises:
        ContractError: the table is no match table, or a weight is negative or not finite.
    """
    header = MatchHeader.of(matches)
    weights = None if image_weights is None else weight_arrays(image_weights)
    rows = match_rows(matches, header)
    arrays = precision_recall(
        rows,
        counting_order(rows, header),
        curve_axes(header.protocol),
        weights=weights,
        threads=evaluation_threads(),
    )
    return PrecisionRecall(header, arrays.precision, arrays.recall, arrays.scores)


def match_rows(matches: pa.Table, header: MatchHeader) -> MatchRows:
    """The table's columns as arrays."""
    areas = header.protocol.areas
    return MatchRows(
        images=to_numpy(matches["image_id"]),
        categories=to_numpy(matches["category_id"]),
        is_truth=to_numpy(matches["is_truth"]),
        ranks=to_numpy(matches["rank"]),
        scores=to_numpy(matches["score"]),
        matched=[to_numpy(matches[f"matched_{area}"]) for area in areas],
        ignored=[to_numpy(matches[f"ignored_{area}"]) for area in areas],
    )


def counting_order(rows: MatchRows, header: MatchHeader) -> MatchOrder:
    """The order of the table's rows.

    Raises:
        ContractError: the table holds categories that its header does not name.
    """
    category_ids = np.array(header.category_ids, np.int64)
    try:
        return match_order(rows, category_ids, threads=evaluation_threads())
    except ValueError as error:
        raise ContractError(f"the match table does not fit its header: {error}") from error


def curve_axes(protocol: CocoProtocol) -> CurveAxes:
    """Where the protocol reads its curves off."""
    return CurveAxes(
        len(protocol.iou_thresholds), np.array(protocol.recalls), protocol.max_detections
    )
