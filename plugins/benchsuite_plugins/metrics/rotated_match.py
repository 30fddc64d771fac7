"""COCO's matching of rotated boxes, as Detectron2's ``RotatedCOCOEvaluator`` extends it.

Detections and truths match as boxes do, by the overlap of the rotated boxes (see ``rotated_iou``).
A row without a rotated box counts with its upright one. A detection's area is its width times its
height. Difficult objects (DOTA) are not to be found, and detections of them are passed over.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import to_numpy
from benchsuite.errors import InputError
from benchsuite.protocols import Predictions, Truth
from benchsuite_kernels.columns.detection_match import Detections, Truths, match_detections
from benchsuite_kernels.columns.match_groups import order_by_group
from benchsuite_kernels.columns.rotated_iou import rotated_iou
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.metrics.coco_match import Evaluated, Grouped
from benchsuite_plugins.metrics.match_table import MatchHeader, make_match_table
from benchsuite_plugins.metrics.scored_shapes import Side

_BOXES = ["bbox", "rotated_box"]


def match(truth: Truth, predictions: Predictions, header: MatchHeader) -> pa.Table:
    """The match table of the images that have a row in ``predictions.images``.

    Raises:
        InputError: an image or category is unknown, or a row of either side has no box that can be
            scored.
    """
    protocol = header.protocol
    evaluated = _evaluated(truth, predictions, header)
    detections = Grouped.of(
        Side.detections(predictions.instances, predictions.source)
        .in_file_order()
        .select(["image_id", "category_id", "score", *_BOXES]),
        evaluated,
        every_image=True,
    )
    truths = _truths(truth, evaluated)
    crowd = truths.side.column("iscrowd")
    boxes = rotated_boxes(detections.side)
    overlaps = rotated_iou(
        boxes,
        rotated_boxes(truths.side),
        detection_groups=detections.groups,
        truth_groups=truths.groups,
        crowd=crowd,
        # Most pairs are far below every threshold, and need not be kept.
        least=min(protocol.iou_thresholds) / 2,
        threads=evaluation_threads(),
    )
    matches = match_detections(
        Detections(detections.groups, detections.side.column("score"), boxes[:, 2] * boxes[:, 3]),
        Truths(
            groups=truths.groups,
            areas=truths.side.column("area"),
            ignored=crowd | truths.side.column("difficult"),
            crowd=crowd,
            loses_match=truths.rows.source_ids == 0,
        ),
        overlaps,
        iou_thresholds=np.array(protocol.iou_thresholds),
        area_ranges=np.array(protocol.area_ranges),
        most_detections=protocol.most_detections,
        threads=evaluation_threads(),
    )
    return make_match_table(
        detections.rows,
        detections.side.column("score"),
        truths.rows,
        order_by_group(truths.groups, threads=evaluation_threads()),
        matches,
        header,
    )


def rotated_boxes(side: Side) -> NDArray[np.float64]:
    """(N, 5) of the rows' rotated boxes, or of the upright ones where there is none.

    Raises:
        InputError: a row has neither, or one that cannot be scored.
    """
    turned, rotated = side.has("rotated_box"), to_numpy(side.table["rotated_box"])
    upright = side.boxes()
    centres = upright[:, :2] + upright[:, 2:] / 2
    level = np.column_stack([centres, upright[:, 2:], np.zeros(len(upright))])
    boxes = np.ascontiguousarray(np.where(turned[:, None], rotated, level))
    for wrong, problem in (
        (~(turned | side.has("bbox")), "is missing, which rotated boxes are scored by"),
        (~np.isfinite(boxes).all(axis=1), "holds a number that is not finite"),
        ((boxes[:, 2:4] < 0).any(axis=1), "has a negative width or height"),
    ):
        if wrong.any():
            raise side.error(wrong.argmax(), f"rotated_box {problem}")
    return boxes


def _evaluated(truth: Truth, predictions: Predictions, header: MatchHeader) -> Evaluated:
    images = np.unique(to_numpy(predictions.images["image_id"]))
    unknown = images[~np.isin(images, to_numpy(truth.images["image_id"]))]
    if len(unknown):
        raise InputError(
            f"image_id {unknown[0]} is not among the images of {truth.source or 'the dataset'}",
            file=predictions.source or None,
        )
    categories = np.array(header.category_ids, np.int64)
    return Evaluated(images, categories, categories, apart=True)


def _truths(truth: Truth, evaluated: Evaluated) -> Grouped:
    side = Side.truths(truth.instances, truth.source).select(
        ["image_id", "category_id", "area", "iscrowd", "difficult", *_BOXES]
    )
    return Grouped.of(side, evaluated, every_image=False)
