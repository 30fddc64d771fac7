"""COCO's matching of detections to truths: columns to a match table.

The matching itself is ``benchsuite_kernels.columns.detection_match``. Here it is settled which rows
take part, what their areas are and which truths are ignored, as ``COCO.loadRes`` and ``COCOeval``
of pycocotools settle it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import to_numpy
from benchsuite.columns.ids import among, distinct
from benchsuite.errors import ContractError, InputError
from benchsuite.protocols import Predictions, Truth
from benchsuite.specs import KeypointLayout
from benchsuite_kernels.columns.detection_match import (
    Detections,
    Overlaps,
    Truths,
    match_detections,
)
from benchsuite_kernels.columns.match_groups import match_groups, order_by_group
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.metrics.coco_protocol import EVERY_CATEGORY
from benchsuite_plugins.metrics.detection_areas import deciding_field, detection_areas
from benchsuite_plugins.metrics.match_table import MatchedSide, MatchHeader, make_match_table
from benchsuite_plugins.metrics.scored_shapes import FIELDS, Side
from benchsuite_plugins.metrics.shape_overlaps import keypoint_overlaps, shape_overlaps

Ids = NDArray[np.int64]

SideOverlaps = Callable[[Side, Side, str], Overlaps]
"""How detections and truths overlap, row for row, the third being the field that decides areas."""


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
    def of(cls, side: Side, evaluated: Evaluated, *, every_image: bool) -> Grouped:
        """The rows of images and categories that are evaluated.

        Args:
            every_image: whether a row of another image is an error.

        Raises:
            InputError: a row is of an unknown category, or of another image.
        """
        images, categories = side.column("image_id"), side.column("category_id")
        threads = evaluation_threads()
        groups = match_groups(
            images, categories, evaluated.image_ids, evaluated.category_ids, threads=threads
        )
        kept = groups >= 0
        if not kept.all():
            strange = np.flatnonzero(~kept & ~among(categories, evaluated.known_ids))
            if len(strange):
                raise _unknown(side, "category_id", strange[0])
            strange = np.flatnonzero(~kept & ~among(images, evaluated.image_ids))
            if every_image and len(strange):
                raise _unknown(side, "image_id", strange[0])
            side, groups = side.take(np.flatnonzero(kept)), groups[kept]
        shown = side.column("category_id")
        if not evaluated.apart:
            # COCOeval puts the categories of an image one after the other.
            category_places, groups = np.divmod(groups, max(len(evaluated.image_ids), 1))
            order = order_by_group(category_places, threads=threads)
            side, groups = side.take(order), groups[order]
            shown = np.full(len(groups), EVERY_CATEGORY, np.int64)
        rows = MatchedSide(side.column("image_id"), shown, side.column(side.id_column))
        return cls(side, groups, rows)


def match(
    truth: Truth,
    predictions: Predictions,
    header: MatchHeader,
    *,
    categories_apart: bool = True,
    keypoints: KeypointLayout | None = None,
    overlaps: SideOverlaps | None = None,
    ignored: Sequence[str] = ("iscrowd",),
) -> pa.Table:
    """The match table of the images that have a row in ``predictions.images``.

    Args:
        header: whose categories are evaluated; truths and detections of others are left out.
        categories_apart: whether a detection matches truths of its own category alone.
        keypoints: the layout to score keypoints with; ``None``: the truth's.
        overlaps: of the task's shapes; ``None``: IoU, or OKS of keypoints.
        ignored: columns that say which truths are not to be found.

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
    truths = _truths(truth, evaluated, protocol.task, ignored)
    found = Side.detections(predictions.instances, predictions.source).in_file_order()
    field = deciding_field(found) if len(found) else "bbox"
    detections = _detections(found, field, evaluated, protocol.task)
    passed_over = np.zeros(len(truths.groups), np.bool_)
    for column in ignored:
        passed_over |= truths.side.column(column)
    if protocol.task == "keypoints":
        passed_over |= truths.side.column("num_keypoints") == 0
    if overlaps is None:
        overlaps = partial(_task_overlaps, protocol.task, layout)
    try:
        matches = match_detections(
            Detections(
                detections.groups,
                detections.side.column("score"),
                detection_areas(detections.side, field),
            ),
            Truths(
                groups=truths.groups,
                areas=truths.side.column("area"),
                ignored=passed_over,
                crowd=truths.side.column("iscrowd"),
                loses_match=truths.rows.source_ids == 0,
            ),
            overlaps(detections.side, truths.side, field),
            iou_thresholds=np.array(protocol.iou_thresholds),
            area_ranges=np.array(protocol.area_ranges),
            most_detections=protocol.most_detections,
            threads=evaluation_threads(),
        )
    except ValueError:
        if protocol.task == "segm":
            detections.side.check_masks()
            truths.side.check_masks()
        raise
    return make_match_table(
        detections.rows,
        detections.side.column("score"),
        truths.rows,
        order_by_group(truths.groups, threads=evaluation_threads()),
        matches,
        header,
    )


def _evaluated(
    truth: Truth, predictions: Predictions, header: MatchHeader, apart: bool
) -> Evaluated:
    images = distinct(to_numpy(predictions.images["image_id"]))
    unknown = images[~among(images, to_numpy(truth.images["image_id"]))]
    if len(unknown):
        raise InputError(
            f"image_id {unknown[0]} is not among the images of {truth.source or 'the dataset'}",
            file=predictions.source or None,
        )
    known = distinct(np.array([category.id for category in truth.categories], np.int64))
    # Where categories are not told apart the header has but the one number that stands for all.
    wanted = np.array(header.category_ids, np.int64) if apart else known
    return Evaluated(images, wanted, known, apart)


def _truths(truth: Truth, evaluated: Evaluated, task: str, flags: Sequence[str]) -> Grouped:
    fields = ["image_id", "category_id", "area", "iscrowd", *flags, FIELDS[task]]
    if task == "keypoints":
        fields += ["bbox", "num_keypoints"]
    side = Side.truths(truth.instances, truth.source).select(fields)
    grouped = Grouped.of(side, evaluated, every_image=False)
    if task != "keypoints":
        grouped.side.require(FIELDS[task], f"which {task} is scored by")
    else:
        grouped.side.require("bbox", "which keypoints are scored by")
    return grouped


def _detections(found: Side, field: str, evaluated: Evaluated, task: str) -> Grouped:
    needed = [FIELDS[task], field] + (["bbox"] if task == "bbox" else [])
    side = found.select(["image_id", "category_id", "score", *needed])
    if task != "bbox":
        side.require(FIELDS[task], f"which {task} is scored by")
    return Grouped.of(side, evaluated, every_image=True)


def _task_overlaps(
    task: str, layout: KeypointLayout | None, detections: Side, truths: Side, field: str
) -> Overlaps:
    if task == "keypoints" and layout is not None:
        return keypoint_overlaps(detections, truths, layout)
    return shape_overlaps(task, detections, truths, field)


def _unknown(side: Side, column: str, row: np.int64) -> InputError:
    found = side.column(column)[row]
    return side.error(row, f"{column} {found} is not among those that are evaluated")
