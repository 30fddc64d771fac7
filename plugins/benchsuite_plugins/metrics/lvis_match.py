"""LVIS's matching of detections to truths, as the ``lvis`` package does it.

It differs from COCO's in what counts. The best 300 detections of an image count, whatever their
categories, and of these those of categories that the image was searched for. One that matches
nothing is ignored where its category is not annotated exhaustively. Truths and detections without
an area do not exist, and crowds are truths like any other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import binary_to_numpy, from_numpy, to_numpy
from benchsuite.errors import InputError
from benchsuite.protocols import Predictions, Truth
from benchsuite_kernels.columns.detection_match import (
    BoxOverlaps,
    Detections,
    MaskOverlaps,
    Masks,
    Matches,
    Overlaps,
    Truths,
    match_detections,
)
from benchsuite_kernels.columns.federated_detections import (
    FederatedDetections,
    federated_detections,
)
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.metrics.detection_areas import (
    deciding_field,
    detection_areas,
    detection_boxes,
)
from benchsuite_plugins.metrics.federated_truth import has_area, looked_for
from benchsuite_plugins.metrics.lvis_protocol import MOST_DETECTIONS
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.scored_shapes import FIELDS, Side

Rows = NDArray[np.int64]

_NEEDED = ["prediction", "image_id", "category_id", "score", "bbox", "segmentation"]


def match(truth: Truth, predictions: Predictions, header: MatchHeader) -> pa.Table:
    """The match table of the images that have a row in ``predictions.images``.

    Raises:
        InputError: a prediction's image or category is unknown, or a row of either side lacks what
            the task is scored by.
    """
    image_ids = np.unique(to_numpy(predictions.images["image_id"]))
    category_ids = np.array(header.category_ids, np.int64)
    _check_images(truth, image_ids, predictions)
    truths, truth_groups = _truths(truth, image_ids, category_ids, header)
    everything = Side.detections(predictions.instances, predictions.source).in_file_order()
    chosen = federated_detections(
        everything.column("image_id"),
        everything.column("category_id"),
        everything.column("score"),
        looked_for(truth.images, truths, image_ids, category_ids),
        most=MOST_DETECTIONS,
        threads=evaluation_threads(),
    )
    _check_ids(everything, chosen)
    field = _deciding_field(everything)
    if len(everything):
        everything.require(field, "though the first detection has it")
        everything.require(
            _shape_field(header, field), f"which {header.protocol.task} is scored by"
        )
    # Rows of columns that are not needed are not worth copying.
    needed = replace(everything, table=everything.table.select(_NEEDED))
    detections, areas, kept = _with_area(needed.take(chosen.rows), field)
    matches = match_detections(
        Detections(
            chosen.groups[kept], detections.column("score"), areas, chosen.not_exhaustive[kept]
        ),
        Truths(
            groups=truth_groups,
            areas=truths.column("area"),
            ignored=to_numpy(truths.table["difficult"]),
            crowd=np.zeros(len(truths), np.bool_),
            loses_match=truths.column("annotation_id") == 0,
        ),
        _overlaps(header.protocol.task, detections, truths, field),
        iou_thresholds=np.array(header.protocol.iou_thresholds),
        area_ranges=np.array(header.protocol.area_ranges),
        most_detections=MOST_DETECTIONS,
        threads=evaluation_threads(),
    )
    return _table(detections, truths, truth_groups, matches, header)


def _check_images(truth: Truth, images: Rows, predictions: Predictions) -> None:
    unknown = images[~np.isin(images, to_numpy(truth.images["image_id"]))]
    if len(unknown):
        raise InputError(
            f"image_id {unknown[0]} is not among the images of {truth.source or 'the dataset'}",
            file=predictions.source or None,
        )


def _check_ids(side: Side, chosen: FederatedDetections) -> None:
    for column, row in (
        ("image_id", chosen.unknown_image),
        ("category_id", chosen.unknown_category),
    ):
        if row >= 0:
            found = side.column(column)[row]
            raise side.error(row, f"{column} {found} is not among those that are evaluated")


def _truths(
    truth: Truth, image_ids: Rows, category_ids: Rows, header: MatchHeader
) -> tuple[Side, Rows]:
    """The truths that exist, by ascending category, then image, then place in the file."""
    side = Side.truths(truth.instances, truth.source)
    images, categories = side.column("image_id"), side.column("category_id")
    seen = np.isin(images, image_ids) & np.isin(categories, category_ids)
    rows = np.flatnonzero(seen & has_area(side.column("area")))
    groups = np.searchsorted(category_ids, categories[rows]) * len(image_ids)
    groups += np.searchsorted(image_ids, images[rows])
    order = np.argsort(groups, kind="stable")
    side = side.take(rows[order])
    task = header.protocol.task
    side.require(FIELDS[task], f"which {task} is scored by")
    return side, groups[order]


def _deciding_field(detections: Side) -> str:
    """The field that areas are taken from: that of the detection which ``LVISResults`` has first.

    It puts the images in order of their first detection, and the best detection of one that has too
    many first.
    """
    if not len(detections):
        return "bbox"
    images, scores = detections.column("image_id"), detections.column("score")
    rows = np.flatnonzero(images == images[0])
    first = 0
    if len(rows) > MOST_DETECTIONS:
        values = scores[rows].tolist()
        first = rows[sorted(range(len(rows)), key=values.__getitem__, reverse=True)[0]]
    return deciding_field(detections.take(np.array([first])))


def _with_area(detections: Side, field: str) -> tuple[Side, NDArray[np.float64], NDArray[np.bool_]]:
    """The detections that have an area, their areas, and which they are."""
    areas = detection_areas(detections, field)
    kept = has_area(areas)
    if kept.all():
        return detections, areas, kept
    return detections.take(np.flatnonzero(kept)), areas[kept], kept


def _shape_field(header: MatchHeader, field: str) -> str:
    return field if header.protocol.task == "bbox" else FIELDS[header.protocol.task]


def _overlaps(task: str, detections: Side, truths: Side, field: str) -> Overlaps:
    if task == "bbox":
        return BoxOverlaps(detection_boxes(detections, field), truths.boxes())
    return MaskOverlaps(_masks(detections), _masks(truths))


def _masks(side: Side) -> Masks:
    column: Any = side.table["segmentation"].combine_chunks()
    counts, offsets = binary_to_numpy(column.field("counts"))
    return Masks(counts, offsets, to_numpy(column.field("size")))


def _table(
    detections: Side, truths: Side, truth_groups: Rows, matches: Matches, header: MatchHeader
) -> pa.Table:
    """The match table, detections before truths."""
    counted = detections.take(matches.order)
    n, g = len(counted), len(truths)
    schema = header.schema()

    def column(name: str, of_detections: Any, of_truths: Any) -> Any:
        field = schema.field(name)
        return pa.chunked_array([_array(of_detections, field.type), _array(of_truths, field.type)])

    columns = [
        column("image_id", counted.column("image_id"), truths.column("image_id")),
        column("category_id", counted.column("category_id"), truths.column("category_id")),
        column("is_truth", np.zeros(n, np.bool_), np.ones(g, np.bool_)),
        column("source_id", counted.column("prediction"), truths.column("annotation_id")),
        column("rank", matches.ranks, pa.nulls(g, pa.int32())),
        column("score", counted.column("score"), pa.nulls(g, pa.float64())),
    ]
    for a, area in enumerate(header.protocol.areas):
        columns.append(column(f"matched_{area}", matches.matched[a], matches.truth_matched[a]))
        columns.append(column(f"ignored_{area}", matches.ignored[a], matches.truth_ignored[a]))
    return pa.table(columns, schema=schema)


def _array(values: Any, of: pa.DataType) -> pa.Array[Any]:
    return values if isinstance(values, pa.Array) else from_numpy(values).cast(of)
