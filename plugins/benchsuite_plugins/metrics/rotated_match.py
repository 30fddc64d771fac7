"""COCO's matching of rotated boxes, as Detectron2's ``RotatedCOCOEvaluator`` extends it.

Detections and truths match as boxes do, by the overlap of the rotated boxes (see ``rotated_iou``).
A row without a rotated box counts with its upright one. A detection's area is its width times its
height. Difficult objects (DOTA) are not to be found, and detections of them are passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy, is_present, to_numpy
from benchsuite.errors import InputError
from benchsuite.protocols import Predictions, Truth
from benchsuite_kernels.columns.detection_match import (
    Detections,
    Matches,
    Truths,
    match_detections,
)
from benchsuite_kernels.columns.rotated_iou import rotated_iou
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.metrics.match_table import MatchHeader

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Side:
    """The rows of one side, in file order.

    Attributes:
        table: the rows.
        boxes: (N, 5), rotated boxes.
        groups: (N,), the place of a row's category times I plus that of its image.
    """

    table: pa.Table
    boxes: _Floats
    groups: _Ints

    @classmethod
    def of(cls, table: pa.Table, name: str, source: str, images: _Ints, categories: _Ints) -> _Side:
        """
        Args:
            name: the column that names a row.
            images, categories: ids of those that are evaluated, ascending.

        Raises:
            InputError: a row is of another image or category, or has no box that can be scored.
        """
        places = []
        for column, known in (("category_id", categories), ("image_id", images)):
            ids = to_numpy(table[column])
            unknown = np.flatnonzero(~np.isin(ids, known))
            if len(unknown):
                row = int(unknown[0])
                problem = f"{column} {ids[row]} is not among those that are evaluated"
                raise _error(table, row, name, source, problem)
            places.append(np.searchsorted(known, ids))
        rotated, turned = to_numpy(table["rotated_box"]), is_present(table["rotated_box"])
        upright, there = to_numpy(table["bbox"]), is_present(table["bbox"])
        centres = upright[:, :2] + upright[:, 2:] / 2
        level = np.column_stack([centres, upright[:, 2:], np.zeros(len(upright))])
        boxes = np.where(turned[:, None], rotated, level)
        for wrong, problem in (
            (~(turned | there), "rotated_box is missing, which rotated boxes are scored by"),
            (~np.isfinite(boxes).all(axis=1), "rotated_box holds a number that is not finite"),
            ((boxes[:, 2:4] < 0).any(axis=1), "rotated_box has a negative width or height"),
        ):
            if wrong.any():
                raise _error(table, int(wrong.argmax()), name, source, problem)
        groups = np.asarray(places[0] * len(images) + places[1], np.int64)
        return cls(table, np.ascontiguousarray(boxes), groups)


def match(truth: Truth, predictions: Predictions, header: MatchHeader) -> pa.Table:
    """The match table of the images that have a row in ``predictions.images``.

    Raises:
        InputError: an image or category is unknown, or a row of either side has no box that can be
            scored.
    """
    images = np.unique(to_numpy(predictions.images["image_id"]))
    unknown = images[~np.isin(images, to_numpy(truth.images["image_id"]))]
    if len(unknown):
        raise InputError(
            f"image_id {unknown[0]} is not among the images of {truth.source or 'the dataset'}",
            file=predictions.source or None,
        )
    categories = np.array(header.category_ids, np.int64)
    instances = truth.instances
    run = np.isin(to_numpy(instances["image_id"]), images)
    if not run.all():
        instances = instances.filter(from_numpy(run))
    truths = _Side.of(instances, "annotation_id", truth.source, images, categories)
    found = predictions.instances
    places = to_numpy(found["prediction"])
    if (np.diff(places) < 0).any():
        found = found.take(from_numpy(np.argsort(places, kind="stable")))
    detections = _Side.of(found, "prediction", predictions.source, images, categories)
    return _table(detections, truths, _matches(detections, truths, header), header)


def _matches(detections: _Side, truths: _Side, header: MatchHeader) -> Matches:
    protocol = header.protocol
    crowd = to_numpy(truths.table["iscrowd"])
    overlaps = rotated_iou(
        detections.boxes,
        truths.boxes,
        detection_groups=detections.groups,
        truth_groups=truths.groups,
        crowd=crowd,
        # Pairs below every threshold, which are most, need not be kept.
        least=min(protocol.iou_thresholds) / 2,
        threads=evaluation_threads(),
    )
    return match_detections(
        Detections(
            detections.groups,
            to_numpy(detections.table["score"]),
            detections.boxes[:, 2] * detections.boxes[:, 3],
        ),
        Truths(
            groups=truths.groups,
            areas=to_numpy(truths.table["area"]),
            ignored=crowd | to_numpy(truths.table["difficult"]),
            crowd=crowd,
            loses_match=to_numpy(truths.table["annotation_id"]) == 0,
        ),
        overlaps,
        iou_thresholds=np.array(protocol.iou_thresholds),
        area_ranges=np.array(protocol.area_ranges),
        most_detections=protocol.most_detections,
        threads=evaluation_threads(),
    )


def _table(detections: _Side, truths: _Side, matches: Matches, header: MatchHeader) -> pa.Table:
    """The match table: detections that count, then truths, by category, then image."""
    by_group = from_numpy(np.argsort(truths.groups, kind="stable"))
    counted = detections.table.take(from_numpy(matches.order))
    of_truths = truths.table.take(by_group)
    n, g = len(counted), len(of_truths)
    schema = header.schema()

    def both(name: str, of_detections: Any, of_truth: Any) -> pa.ChunkedArray[Any]:
        of = schema.field(name).type
        return pa.chunked_array([*_chunks(of_detections, of), *_chunks(of_truth, of)], of)

    columns = [
        both("image_id", counted["image_id"], of_truths["image_id"]),
        both("category_id", counted["category_id"], of_truths["category_id"]),
        both("is_truth", from_numpy(np.zeros(n, np.bool_)), from_numpy(np.ones(g, np.bool_))),
        both("source_id", counted["prediction"], of_truths["annotation_id"]),
        both("rank", from_numpy(matches.ranks), pa.nulls(g, pa.int32())),
        both("score", counted["score"], pa.nulls(g, pa.float64())),
    ]
    for place, area in enumerate(header.protocol.areas):
        for name, of_detections, of_truth in (
            ("matched", matches.matched[place], matches.truth_matched[place]),
            ("ignored", matches.ignored[place], matches.truth_ignored[place]),
        ):
            column = from_numpy(of_truth).take(by_group)
            columns.append(both(f"{name}_{area}", from_numpy(of_detections), column))
    return pa.Table.from_arrays(columns, schema=schema)


def _chunks(column: Any, of: pa.DataType) -> list[pa.Array[Any]]:
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return [chunk.cast(of) for chunk in chunks]


def _error(table: pa.Table, row: int, name: str, source: str, problem: str) -> InputError:
    identity = table[name][row].as_py()
    record = f"annotation id {identity}" if name == "annotation_id" else f"detections[{identity}]"
    return InputError(problem, file=source or None, record=record)
