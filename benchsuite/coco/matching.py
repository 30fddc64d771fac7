"""All images and categories matched at once, from annotation records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.coco.params import Params
from benchsuite.coco.records import (
    Record,
    check_masks,
    masks,
    number_lists,
    numbers,
    values,
)
from benchsuite_kernels.columns.detection_match import (
    BoxOverlaps,
    Detections,
    KeypointOverlaps,
    MaskOverlaps,
    Matches,
    Overlaps,
    Truths,
    match_detections,
)
from benchsuite_kernels.columns.match_order import MatchRows
from benchsuite_kernels.threads import evaluation_threads

MOST_THRESHOLDS = 64
"""IoU thresholds that are matched at once."""


@dataclass(frozen=True, slots=True)
class Side:
    """The records of one side that are evaluated.

    Attributes:
        records: in file order within an image and category.
        images, categories: (N,) int64, places among those that are evaluated.
    """

    records: Sequence[Record]
    images: NDArray[np.int64]
    categories: NDArray[np.int64]

    @classmethod
    def of(cls, records: Sequence[Record], params: Params) -> Side:
        """The records of the images and categories of ``params``."""
        if not params.useCats:
            of_category = defaultdict(list)
            for record, category in zip(records, values(records, "category_id")):
                of_category[category].append(record)
            records = [record for one in params.catIds for record in of_category[one]]
        images = _places(records, "image_id", params.imgIds)
        if params.useCats:
            categories = _places(records, "category_id", params.catIds)
        else:
            categories = np.zeros_like(images)
        known = (images >= 0) & (categories >= 0)
        if not known.all():
            records = [records[place] for place in np.flatnonzero(known).tolist()]
        return cls(records, images[known], categories[known])

    def groups(self, params: Params) -> NDArray[np.int64]:
        """(N,) int64, a number for each category and image, ascending in that order."""
        return self.categories * len(params.imgIds) + self.images


def _places(records: Sequence[Record], field: str, ids: Sequence[Any]) -> NDArray[np.int64]:
    place_of: Mapping[Any, int] = {identity: place for place, identity in enumerate(ids)}
    found = [place_of.get(identity, -1) for identity in values(records, field)]
    return np.array(found, np.int64)


@dataclass(frozen=True, slots=True)
class Matching:
    """Detections and truths as they are matched, by the parameters of ``COCOeval``.

    Attributes:
        params: copies of those.
        detections, truths: the records.
        sides: the same as the kernel takes them; groups ascend by category, then image.
        overlaps: how they overlap.
    """

    params: Params
    detections: Side
    truths: Side
    sides: tuple[Detections, Truths]
    overlaps: Overlaps

    @classmethod
    def of(cls, truths: Sequence[Record], detections: Sequence[Record], params: Params) -> Matching:
        """Records as arrays.

        Args:
            truths: with ``ignore`` set; of ``segm``, with RLE as ``segmentation``, as detections.

        Raises:
            InputError: a record lacks what is evaluated, or has something else in its place.
        """
        found, wanted = Side.of(detections, params), Side.of(truths, params)
        areas = numbers(found.records, "area")
        groups = wanted.groups(params)
        if params.iouType == "keypoints" and not params.useCats:
            # pycocotools looks for keypoints in a category that there is not, and matches none.
            groups = ~groups
        sides = (
            Detections(found.groups(params), numbers(found.records, "score"), areas),
            Truths(
                groups=groups,
                areas=numbers(wanted.records, "area"),
                ignored=np.array([bool(truth["ignore"]) for truth in wanted.records], np.bool_),
                crowd=_crowd(wanted.records),
                loses_match=np.array([truth["id"] == 0 for truth in wanted.records], np.bool_),
            ),
        )
        overlaps = _overlaps(found.records, wanted.records, sides, params)
        return cls(params, found, wanted, sides, overlaps)

    def matches(self, *, which: bool = False) -> list[tuple[int, Matches]]:
        """The number of thresholds, and the matches at them, for as many as are matched at once.

        Args:
            which: whether ``Matches.takes`` is wanted.

        Raises:
            InputError: a mask is malformed.
        """
        thresholds = np.array(self.params.iouThrs, np.float64)
        chunks = []
        for first in range(0, len(thresholds), MOST_THRESHOLDS):
            chunk = thresholds[first : first + MOST_THRESHOLDS]
            try:
                matches = match_detections(
                    *self.sides,
                    self.overlaps,
                    iou_thresholds=chunk,
                    area_ranges=np.array(self.params.areaRng, np.float64).reshape(-1, 2),
                    most_detections=self.params.maxDets[-1],
                    threads=evaluation_threads(),
                    which=which,
                )
            except ValueError:
                if self.params.iouType == "segm":
                    check_masks(self.truths.records)
                    check_masks(self.detections.records)
                raise
            chunks.append((len(chunk), matches))
        return chunks

    def rows(self, matches: Matches) -> MatchRows:
        """Matches as a table."""
        found, wanted, counted = self.detections, self.truths, matches.order
        sizes = [len(counted), len(wanted.records)]
        scores = self.sides[0].scores[counted]
        return MatchRows(
            images=np.concatenate([found.images[counted], wanted.images]),
            categories=np.concatenate([found.categories[counted], wanted.categories]),
            is_truth=np.repeat([False, True], sizes),
            ranks=np.concatenate([matches.ranks, np.zeros(sizes[1], np.int32)]),
            scores=np.concatenate([scores, np.zeros(sizes[1])]),
            matched=list(np.hstack([matches.matched, matches.truth_matched])),
            ignored=list(np.hstack([matches.ignored, matches.truth_ignored])),
        )


def _crowd(truths: Sequence[Record]) -> NDArray[np.bool_]:
    return np.array([bool(int(flag)) for flag in values(truths, "iscrowd")], np.bool_)


def _overlaps(
    detections: Sequence[Record],
    truths: Sequence[Record],
    sides: tuple[Detections, Truths],
    params: Params,
) -> Overlaps:
    if params.iouType == "bbox":
        return BoxOverlaps(number_lists(detections, "bbox", 4), number_lists(truths, "bbox", 4))
    if params.iouType == "segm":
        return MaskOverlaps(masks(detections), masks(truths))
    count = 3 * len(params.kpt_oks_sigmas)
    return KeypointOverlaps(
        detections=number_lists(detections, "keypoints", count),
        truths=number_lists(_with_keypoints(truths, count), "keypoints", count),
        boxes=number_lists(truths, "bbox", 4),
        areas=sides[1].areas,
        sigmas=np.array(params.kpt_oks_sigmas, np.float64),
    )


def _with_keypoints(truths: Sequence[Record], count: int) -> Sequence[Record]:
    """Truths without keypoints as if none of them were visible."""
    if all(truth.get("keypoints") for truth in truths):
        return truths
    return [{**truth, "keypoints": truth.get("keypoints") or [0] * count} for truth in truths]
