"""COCO's matching of detections to truths: columns to a match table.

The matching itself is ``benchsuite_kernels.columns.detection_match``. Here it is settled which rows
take part, what their areas are and which truths are ignored, as ``COCO.loadRes`` and ``COCOeval``
of pycocotools settle it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import to_numpy
from benchsuite.errors import ContractError, InputError
from benchsuite.protocols import Predictions, Truth
from benchsuite.specs import KeypointLayout
from benchsuite_kernels.columns.detection_match import (
    Detections,
    Overlaps,
    Truths,
    match_detections,
)
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.metrics.coco_protocol import EVERY_CATEGORY
from benchsuite_plugins.metrics.detection_areas import deciding_field, detection_areas
from benchsuite_plugins.metrics.match_table import MatchedSide, MatchHeader, make_match_table
from benchsuite_plugins.metrics.scored_shapes import FIELDS, Side
from benchsuite_plugins.metrics.shape_overlaps import keypoint_overlaps, shape_overlaps

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What is evaluated.

    Attributes:
        image_ids: (I,) int64, ascending.
        category_ids: (K,) int64, ascending.
        known_ids: (C,) int64, ascending: the dataset's categories, of which only some may be
            evaluated.
        apart: whether categories are matched apart.
    """

    image_ids: Ids
    category_ids: Ids
    known_ids: Ids
    apart: bool


@dataclass(frozen=True, slots=True)
class Grouped:
    """The rows of one side that take part, in the order in which ties are broken.

    Attributes:
        side: the rows.
        groups: (N,) int64; the same number, the same unit of matching: ascending by category, then
            image.
        rows: what the match table says of them.
    """

    side: Side
    groups: Ids
    rows: MatchedSide

    @classmethod
    def of(cls, side: Side, evaluated: Evaluated) -> Grouped:
        """
        Raises:
            InputError: a row is of an unknown category, or of an image that is not evaluated.
        """
        ids = side.column("category_id")
        categories, counted = _places(ids, evaluated.category_ids)
        if not counted.all():
            strange = ~counted & ~_places(ids, evaluated.known_ids)[1]
            if strange.any():
                raise _unknown(side, "category_id", strange)
        images, known = _places(side.column("image_id"), evaluated.image_ids)
        if not known.all():
            raise _unknown(side, "image_id", ~known)
        if not counted.all():
            kept = np.flatnonzero(counted)
            side, categories, images = side.take(kept), categories[kept], images[kept]
        if not evaluated.apart:
            # COCOeval puts the categories of an image one after the other.
            order = np.argsort(categories, kind="stable")
            side, images = side.take(order), images[order]
            shown = np.full(len(images), EVERY_CATEGORY, np.int64)
            groups = images
        else:
            shown = side.column("category_id")
            groups = categories * max(len(evaluated.image_ids), 1) + images
        rows = MatchedSide(side.column("image_id"), shown, side.column(side.id_column))
        return cls(side, groups, rows)


def match(
    truth: Truth,
    predictions: Predictions,
    header: MatchHeader,
    *,
    categories_apart: bool = True,
    keypoints: KeypointLayout | None = None,
) -> pa.Table:
    """The match table of the images that have a row in ``predictions.images``.

    Args:
        header: whose categories are evaluated; truths and detections of others are left out.
        categories_apart: whether a detection matches truths of its own category alone.
        keypoints: the layout to score keypoints with; ``None``: the truth's.

    Raises:
        InputError: a prediction's image or category is unknown, or a row of either side lacks what
            the task is scored by.
        ContractError: the truth of keypoints has no layout.
    """
    protocol = header.protocol
    layout = keypoints or truth.keypoints
    if protocol.task == "keypoints" and layout is None:
        raise ContractError(f"the truth of {truth.source or 'the dataset'} has no keypoint layout")
    evaluated = _evaluated(truth, predictions, header, categories_apart)
    truths = _truths(truth, evaluated, protocol.task)
    found = Side.detections(predictions.instances, predictions.source).in_file_order()
    field = deciding_field(found) if len(found) else "bbox"
    detections = _detections(found, field, evaluated, protocol.task)
    crowd = truths.side.column("iscrowd")
    ignored = crowd
    if protocol.task == "keypoints":
        ignored = crowd | (truths.side.column("num_keypoints") == 0)
    matches = match_detections(
        Detections(
            detections.groups,
            detections.side.column("score"),
            detection_areas(detections.side, field),
        ),
        Truths(
            groups=truths.groups,
            areas=truths.side.column("area"),
            ignored=ignored,
            crowd=crowd,
            loses_match=truths.rows.source_ids == 0,
        ),
        _overlaps(protocol.task, detections.side, truths.side, field, layout),
        iou_thresholds=np.array(protocol.iou_thresholds),
        area_ranges=np.array(protocol.area_ranges),
        most_detections=protocol.most_detections,
        threads=evaluation_threads(),
    )
    return make_match_table(
        detections.rows,
        detections.side.column("score"),
        truths.rows,
        np.argsort(truths.groups, kind="stable"),
        matches,
        header,
    )


def _evaluated(
    truth: Truth, predictions: Predictions, header: MatchHeader, apart: bool
) -> Evaluated:
    images = np.unique(to_numpy(predictions.images["image_id"]))
    unknown = images[~np.isin(images, to_numpy(truth.images["image_id"]))]
    if len(unknown):
        raise InputError(
            f"image_id {unknown[0]} is not among the images of {truth.source or 'the dataset'}",
            file=predictions.source or None,
        )
    known = np.unique(np.array([category.id for category in truth.categories], np.int64))
    # Where categories are not told apart the header has but the one number that stands for all.
    wanted = np.array(header.category_ids, np.int64) if apart else known
    return Evaluated(images, wanted, known, apart)


def _truths(truth: Truth, evaluated: Evaluated, task: str) -> Grouped:
    fields = ["image_id", "category_id", "area", "iscrowd", FIELDS[task]]
    if task == "keypoints":
        fields += ["bbox", "num_keypoints"]
    side = Side.truths(truth.instances, truth.source).select(fields)
    run = np.isin(side.column("image_id"), evaluated.image_ids)
    if not run.all():
        side = side.take(np.flatnonzero(run))
    if task != "keypoints":
        side.require(FIELDS[task], f"which {task} is scored by")
    else:
        side.require("bbox", "which keypoints are scored by")
    return Grouped.of(side, evaluated)


def _detections(found: Side, field: str, evaluated: Evaluated, task: str) -> Grouped:
    needed = [FIELDS[task], field] + (["bbox"] if task == "bbox" else [])
    side = found.select(["image_id", "category_id", "score", *needed])
    if task != "bbox":
        side.require(FIELDS[task], f"which {task} is scored by")
    return Grouped.of(side, evaluated)


def _overlaps(
    task: str, detections: Side, truths: Side, field: str, layout: KeypointLayout | None
) -> Overlaps:
    if task == "keypoints" and layout is not None:
        return keypoint_overlaps(detections, truths, layout)
    return shape_overlaps(task, detections, truths, field)


def _places(ids: Ids, known: Ids) -> tuple[Ids, NDArray[np.bool_]]:
    """Where each id stands among those known, and whether it does."""
    if not len(known):
        return np.zeros(len(ids), np.int64), np.zeros(len(ids), np.bool_)
    first, last = int(known[0]), int(known[-1])
    if last - first < 4 * (len(known) + len(ids)):
        # A table look-up, where ids lie close together: a binary search is ten times slower.
        places = np.full(last - first + 1, -1, np.int64)
        places[known - first] = np.arange(len(known))
        within = (ids >= first) & (ids <= last)
        found = places[np.where(within, ids, first) - first]
        return found, within & (found >= 0)
    found = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return found, known[found] == ids


def _unknown(side: Side, column: str, strange: NDArray[np.bool_]) -> InputError:
    row = int(strange.argmax())
    found = side.column(column)[row]
    return side.error(row, f"{column} {found} is not among those that are evaluated")
