"""COCO's matching of detections to truths, by pycocotools' own ``COCOeval``.

``COCOeval.evaluate`` visits every image, category and area range. Here only images and categories
with both a detection and a truth are handed to it: where one side is empty nothing can match, and
what is ignored follows from the areas alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.errors import ContractError, InputError
from benchsuite.protocols import Predictions, Truth
from benchsuite.specs import KeypointLayout
from benchsuite_plugins.metrics.detection_areas import (
    deciding_field,
    detection_areas,
    detection_boxes,
)
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.official_matcher import OfficialMatcher
from benchsuite_plugins.metrics.scored_shapes import FIELDS, Side, shapes


@dataclass(frozen=True, slots=True)
class Grouped:
    """One side's rows, those of an image and category together.

    Attributes:
        side: the rows, by ascending category, then image.
        groups: (N,) int64, ascending; a number for each image and category.
        areas: (N,) float64, square pixels.
        matched: (A, N), one row an area range, bit ``t`` standing for IoU threshold ``t``.
        ignored: (A, N), likewise.
    """

    side: Side
    groups: NDArray[np.int64]
    areas: NDArray[np.float64]
    matched: NDArray[np.unsignedinteger[Any]]
    ignored: NDArray[np.unsignedinteger[Any]]

    @classmethod
    def unmatched(
        cls,
        side: Side,
        groups: NDArray[np.int64],
        areas: NDArray[np.float64],
        ignored: NDArray[np.bool_],
        header: MatchHeader,
    ) -> Grouped:
        """Rows that match nothing: ignored are the given ones and those outside an area range."""
        ranges = header.protocol.area_ranges
        outside = [ignored | (areas < low) | (areas > high) for low, high in ranges]
        bits = np.where(outside, header.every_bit, 0).astype(header.bits)
        return cls(side, groups, areas, np.zeros_like(bits), bits)


def match(truth: Truth, predictions: Predictions, header: MatchHeader) -> pa.Table:
    """The match table of the images that have a row in ``predictions.images``.

    Raises:
        InputError: a prediction's image or category is unknown, or a row of either side lacks what
            the task is scored by.
        ContractError: the truth of keypoints has no layout.
    """
    layout = truth.keypoints
    if header.protocol.task == "keypoints" and layout is None:
        raise ContractError(f"the truth of {truth.source or 'the dataset'} has no keypoint layout")
    images = np.unique(predictions.images["image_id"].to_numpy())
    _check_images(truth, images, predictions)
    truths = _group_truths(Side.truths(truth.instances, truth.source), images, header)
    all_detections = Side.detections(predictions.instances, predictions.source).in_file_order()
    field = deciding_field(all_detections) if len(all_detections) else "bbox"
    detections, ranks = _group_detections(all_detections, field, images, header)
    _match_groups(truths, detections, field, layout, header)
    return pa.concat_tables(
        [_rows(detections, header, ranks), _rows(truths, header, None)]
    ).replace_schema_metadata(header.schema().metadata)


def _check_images(truth: Truth, images: NDArray[np.int64], predictions: Predictions) -> None:
    unknown = images[~np.isin(images, truth.images["image_id"].to_numpy())]
    if len(unknown):
        raise InputError(
            f"image_id {unknown[0]} is not among the images of {truth.source or 'the dataset'}",
            file=predictions.source or None,
        )


def _group_truths(side: Side, images: NDArray[np.int64], header: MatchHeader) -> Grouped:
    """The truths of the images, in file order within a group."""
    task = header.protocol.task
    side = side.take(np.flatnonzero(np.isin(side.column("image_id"), images)))
    groups = _group_numbers(side, images, header)
    order = np.argsort(groups, kind="stable")
    side = side.take(order)
    if task != "keypoints":
        side.require(FIELDS[task], f"which {task} is scored by")
    ignored = side.column("iscrowd")
    if task == "keypoints":
        side.require("bbox", "which keypoints are scored by")
        ignored = ignored | (side.column("num_keypoints") == 0)
    return Grouped.unmatched(side, groups[order], side.column("area"), ignored, header)


def _group_detections(
    side: Side, field: str, images: NDArray[np.int64], header: MatchHeader
) -> tuple[Grouped, NDArray[np.int64]]:
    """The detections that count, by descending score within a group, and their ranks there."""
    task = header.protocol.task
    if task != "bbox":
        side.require(FIELDS[task], f"which {task} is scored by")
    groups = _group_numbers(side, images, header)
    # Stable: the earlier in the file comes first among equal scores.
    order = np.lexsort((-side.column("score"), groups))
    ascending = groups[order]
    ranks = np.arange(len(order)) - np.searchsorted(ascending, ascending)
    counted = ranks < header.protocol.most_detections
    side = side.take(order[counted])
    areas = detection_areas(side, field)
    ignored = np.zeros(len(side), np.bool_)
    grouped = Grouped.unmatched(side, ascending[counted], areas, ignored, header)
    return grouped, ranks[counted]


def _group_numbers(side: Side, images: NDArray[np.int64], header: MatchHeader) -> NDArray[np.int64]:
    """(N,) a number for each image and category, ascending by category, then image."""
    places = []
    for column, known in (
        ("category_id", np.array(header.category_ids, np.int64)),
        ("image_id", images),
    ):
        ids = side.column(column)
        unknown = np.flatnonzero(~np.isin(ids, known))
        if len(unknown):
            raise side.error(
                unknown[0], f"{column} {ids[unknown[0]]} is not among those that are evaluated"
            )
        places.append(np.searchsorted(known, ids))
    category_places, image_places = places
    return np.asarray(category_places * len(images) + image_places, np.int64)


def _match_groups(
    truths: Grouped,
    detections: Grouped,
    field: str,
    layout: KeypointLayout | None,
    header: MatchHeader,
) -> None:
    """Fills in what matches, group by group."""
    truth_rows = np.flatnonzero(np.isin(truths.groups, detections.groups))
    detection_rows = np.flatnonzero(np.isin(detections.groups, truths.groups))
    truth_annotations = _truth_annotations(truths, truth_rows, layout, header)
    detection_annotations = _detection_annotations(
        detections, detection_rows, field, layout, header
    )
    matcher = OfficialMatcher(header.protocol, () if layout is None else layout.sigmas)
    bits = (np.uint64(1) << np.arange(len(header.protocol.iou_thresholds), dtype=np.uint64)).astype(
        header.bits
    )
    for of_truths, of_detections in zip(
        _runs(truths.groups[truth_rows]), _runs(detections.groups[detection_rows])
    ):
        outcomes = matcher.evaluate(
            detection_annotations[of_detections], truth_annotations[of_truths]
        )
        for area, (matched, ignored, truths_matched) in enumerate(outcomes):
            detections.matched[area, detection_rows[of_detections]] = bits @ matched
            detections.ignored[area, detection_rows[of_detections]] = bits @ ignored
            truths.matched[area, truth_rows[of_truths]] = bits @ truths_matched


def _runs(groups: NDArray[np.int64]) -> list[slice]:
    """Where each group's rows are."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    return [slice(*ends) for ends in zip(starts.tolist(), [*starts[1:].tolist(), len(groups)])]


def _truth_annotations(
    truths: Grouped,
    rows: NDArray[np.int64],
    layout: KeypointLayout | None,
    header: MatchHeader,
) -> list[dict[str, Any]]:
    """The rows as COCOeval's annotations of truth."""
    side, task = truths.side.take(rows), header.protocol.task
    ignored = side.column("iscrowd")
    if task == "keypoints":
        ignored = ignored | (side.column("num_keypoints") == 0)
    columns = zip(
        side.column("annotation_id").tolist(),
        shapes(side, task, layout),
        side.boxes().tolist(),
        side.column("area").tolist(),
        side.column("iscrowd").tolist(),
        ignored.tolist(),
    )
    return [
        {"id": i, "bbox": box, FIELDS[task]: shape, "area": a, "iscrowd": int(c), "ignore": ignore}
        for i, shape, box, a, c, ignore in columns
    ]


def _detection_annotations(
    detections: Grouped,
    rows: NDArray[np.int64],
    field: str,
    layout: KeypointLayout | None,
    header: MatchHeader,
) -> list[dict[str, Any]]:
    """The rows as ``COCO.loadRes`` makes them of results, ids counted from 1."""
    side, task = detections.side.take(rows), header.protocol.task
    boxes = detection_boxes(side, field).tolist()
    columns = zip(
        side.column("prediction").tolist(),
        boxes if task == "bbox" else shapes(side, task, layout),
        detections.areas[rows].tolist(),
        side.column("score").tolist(),
    )
    return [
        {"id": place + 1, FIELDS[task]: shape, "area": area, "score": score, "iscrowd": 0}
        for place, shape, area, score in columns
    ]


def _rows(grouped: Grouped, header: MatchHeader, ranks: NDArray[np.int64] | None) -> pa.Table:
    """One side's rows of the match table; only detections have ranks."""
    side = grouped.side
    rank: Any
    score: Any
    if ranks is None:
        rank, score = pa.nulls(len(side), pa.int32()), pa.nulls(len(side), pa.float64())
    else:
        rank, score = pa.array(ranks.astype(np.int32)), side.table["score"]
    columns: list[Any] = [
        side.table["image_id"],
        side.table["category_id"],
        pa.array(np.full(len(side), ranks is None)),
        side.table[side.id_column],
        rank,
        score,
    ]
    for matched, ignored in zip(grouped.matched, grouped.ignored):
        columns += [pa.array(matched), pa.array(ignored)]
    return pa.table(columns, schema=header.schema())
