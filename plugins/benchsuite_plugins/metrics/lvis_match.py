"""LVIS's matching of detections to truths, as the ``lvis`` package does it.

It differs from COCO's in what counts. The best 300 detections of an image count, whatever their
categories, and of these those of categories that the image was searched for. One that matches
nothing is ignored where its category is not annotated exhaustively. Truths and detections without
an area do not exist, and crowds are truths like any other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import to_numpy
from benchsuite.errors import InputError
from benchsuite.protocols import Predictions, Truth
from benchsuite_kernels.columns.detection_match import (
    Detections,
    Truths,
    match_detections,
)
from benchsuite_kernels.columns.federated_detections import (
    FederatedDetections,
    LookedFor,
    federated_detections,
)
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.metrics.detection_areas import (
    deciding_field,
    detection_areas,
)
from benchsuite_plugins.metrics.federated_truth import has_area, looked_for, places
from benchsuite_plugins.metrics.match_table import MatchedSide, MatchHeader, make_match_table
from benchsuite_plugins.metrics.scored_shapes import FIELDS, Side
from benchsuite_plugins.metrics.shape_overlaps import shape_overlaps

Rows = NDArray[np.int64]


def match(truth: Truth, predictions: Predictions, header: MatchHeader) -> pa.Table:
    """The match table of the images that have a row in ``predictions.images``.

    Raises:
        InputError: a prediction's image or category is unknown, or a row of either side lacks what
            the task is scored by.
    """
    image_ids = np.unique(to_numpy(predictions.images["image_id"]))
    category_ids = np.array(header.category_ids, np.int64)
    _check_images(truth, image_ids, predictions)
    truths = _Truths.of(truth, image_ids, category_ids, header)
    searched = looked_for(truth.images, truths.groups, image_ids, category_ids)
    detections = _Detections.of(predictions, searched, header)
    matches = match_detections(
        Detections(
            detections.groups, detections.scores, detections.areas, detections.not_exhaustive
        ),
        Truths(
            groups=truths.groups,
            areas=truths.side.column("area"),
            ignored=truths.side.column("difficult"),
            crowd=np.zeros(len(truths.groups), np.bool_),
            loses_match=truths.ids == 0,
        ),
        shape_overlaps(header.protocol.task, detections.side, truths.side, detections.field),
        iou_thresholds=np.array(header.protocol.iou_thresholds),
        area_ranges=np.array(header.protocol.area_ranges),
        most_detections=header.protocol.most_detections,
        threads=evaluation_threads(),
    )
    return make_match_table(
        _rows(detections.groups, detections.predictions, searched),
        detections.scores,
        _rows(truths.groups, truths.ids, searched),
        np.arange(len(truths.groups)),
        matches,
        header,
    )


def _rows(groups: Rows, sources: Rows, searched: LookedFor) -> MatchedSide:
    categories, images = np.divmod(groups, max(len(searched.image_ids), 1))
    return MatchedSide(searched.image_ids[images], searched.category_ids[categories], sources)


@dataclass(frozen=True, slots=True)
class _Truths:
    """The truths that exist, by ascending category, then image, then place in the file.

    Attributes:
        side: the rows.
        groups: (G,) int64, the place of a truth's category times I plus that of its image.
        ids: (G,) int64.
    """

    side: Side
    groups: Rows
    ids: Rows

    @classmethod
    def of(cls, truth: Truth, image_ids: Rows, category_ids: Rows, header: MatchHeader) -> _Truths:
        field = FIELDS[header.protocol.task]
        columns = ["image_id", "category_id", "area", "difficult", field]
        side = Side.truths(truth.instances, truth.source).select(columns)
        images, categories = side.column("image_id"), side.column("category_id")
        image_places, known_image = places(images, image_ids)
        category_places, known_category = places(categories, category_ids)
        rows = np.flatnonzero(known_image & known_category & has_area(side.column("area")))
        groups = category_places[rows] * len(image_ids) + image_places[rows]
        order = np.argsort(groups, kind="stable")
        side = side.take(rows[order])
        side.require(field, f"which {header.protocol.task} is scored by")
        return cls(side, groups[order], side.column("annotation_id"))


@dataclass(frozen=True, slots=True)
class _Detections:
    """The detections that count and have an area, in file order.

    Attributes:
        side: the columns that hold shapes.
        field: that from which areas are taken.
        predictions: (N,) int64, their places in the file.
        scores: (N,) float64.
        groups: (N,) int64, as for truths.
        areas: (N,) float64, square pixels.
        not_exhaustive: (N,) bool.
    """

    side: Side
    field: str
    predictions: Rows
    scores: NDArray[np.float64]
    groups: Rows
    areas: NDArray[np.float64]
    not_exhaustive: NDArray[np.bool_]

    @classmethod
    def of(cls, predictions: Predictions, searched: LookedFor, header: MatchHeader) -> _Detections:
        task = header.protocol.task
        side = Side.detections(predictions.instances, predictions.source).in_file_order()
        chosen = federated_detections(
            side.column("image_id"),
            side.column("category_id"),
            side.column("score"),
            searched,
            most=header.protocol.most_detections,
            threads=evaluation_threads(),
        )
        _check_ids(side, chosen)
        field = _deciding_field(side, header.protocol.most_detections)
        needed = {field, FIELDS[task]} if task == "segm" else {field, "bbox"}
        if len(side):
            side.require(field, "though the first detection has it")
            if task == "segm":
                side.require(FIELDS[task], f"which {task} is scored by")
        # Rows of columns that are not needed are not worth copying.
        shapes = side.select(sorted(needed)).take(chosen.rows)
        areas = detection_areas(shapes, field)
        rows, groups, not_exhaustive = chosen.rows, chosen.groups, chosen.not_exhaustive
        kept = has_area(areas)
        if not kept.all():
            shapes = shapes.take(np.flatnonzero(kept))
            rows, groups, areas = rows[kept], groups[kept], areas[kept]
            not_exhaustive = not_exhaustive[kept]
        return cls(
            side=shapes,
            field=field,
            predictions=side.column("prediction").take(rows),
            scores=side.column("score").take(rows),
            groups=groups,
            areas=areas,
            not_exhaustive=not_exhaustive,
        )


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


def _deciding_field(detections: Side, most: int) -> str:
    """The field that areas are taken from: that of the detection which ``LVISResults`` has first.

    It puts the images in order of their first detection, and the best detection of one that has too
    many first.
    """
    if not len(detections):
        return "bbox"
    images, scores = detections.column("image_id"), detections.column("score")
    rows = np.flatnonzero(images == images[0])
    first = 0
    if len(rows) > most:
        values = scores[rows].tolist()
        first = rows[sorted(range(len(rows)), key=values.__getitem__, reverse=True)[0]]
    return deciding_field(detections.take(np.array([first])))
