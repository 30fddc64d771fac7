"""All images and categories matched at once, from rows of truths and detections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchsuite.coco.params import Params
from benchsuite.coco.rows import Rows
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
    """What is evaluated of one side.

    Attributes:
        rows: in file order within an image and category.
        images, categories: (N,) int64, places among those that are evaluated.
    """

    rows: Rows
    images: NDArray[np.int64]
    categories: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Rows, params: Params) -> Side:
        """The rows of the images and categories of ``params``."""
        if not params.useCats:
            # Category by category, in the order given, and again where one is given again.
            ids = list(dict.fromkeys(params.catIds))
            categories = rows.places("category_id", ids)
            of_each = [np.flatnonzero(categories == ids.index(one)) for one in params.catIds]
            rows = rows.take(np.concatenate([np.zeros(0, np.int64), *of_each]))
        images = rows.places("image_id", params.imgIds)
        if params.useCats:
            categories = rows.places("category_id", params.catIds)
        else:
            categories = np.zeros_like(images)
        known = (images >= 0) & (categories >= 0)
        if not known.all():
            rows = rows.take(np.flatnonzero(known))
        return cls(rows, images[known], categories[known])

    def groups(self, params: Params) -> NDArray[np.int64]:
        """(N,) int64, a number for each category and image, ascending in that order."""
        return self.categories * len(params.imgIds) + self.images


@dataclass(frozen=True, slots=True)
class Matching:
    """Detections and truths as they are matched, by the parameters of ``COCOeval``.

    Attributes:
        params: copies of those.
        detections, truths: what they are.
        sides: the same as the kernel takes them; groups ascend by category, then image.
        overlaps: how they overlap.
    """

    params: Params
    detections: Side
    truths: Side
    sides: tuple[Detections, Truths]
    overlaps: Overlaps

    @classmethod
    def of(cls, truths: Rows, detections: Rows, params: Params) -> Matching:
        """Both sides as arrays.

        Raises:
            InputError: a record lacks what is evaluated, or has something else in its place.
        """
        found, wanted = Side.of(detections, params), Side.of(truths, params)
        groups = wanted.groups(params)
        if params.iouType == "keypoints" and not params.useCats:
            # pycocotools looks for keypoints in a category that there is not, and matches none.
            groups = ~groups
        sides = (
            Detections(
                groups=found.groups(params),
                scores=found.rows.numbers("score"),
                areas=found.rows.numbers("area"),
            ),
            Truths(
                groups=groups,
                areas=wanted.rows.numbers("area"),
                ignored=wanted.rows.ignored(),
                crowd=wanted.rows.crowd(),
                loses_match=np.array([one == 0 for one in wanted.rows.values("id")], np.bool_),
            ),
        )
        overlaps = _overlaps(found.rows, wanted.rows, sides, params)
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
                    self.truths.rows.check_masks()
                    self.detections.rows.check_masks()
                raise
            chunks.append((len(chunk), matches))
        return chunks

    def rows(self, matches: Matches) -> MatchRows:
        """Matches as a table."""
        found, wanted, counted = self.detections, self.truths, matches.order
        sizes = [len(counted), len(wanted.rows)]
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


def _overlaps(
    detections: Rows, truths: Rows, sides: tuple[Detections, Truths], params: Params
) -> Overlaps:
    if params.iouType == "bbox":
        return BoxOverlaps(detections.number_lists("bbox", 4), truths.number_lists("bbox", 4))
    if params.iouType == "segm":
        return MaskOverlaps(detections.masks(), truths.masks())
    count = 3 * len(params.kpt_oks_sigmas)
    return KeypointOverlaps(
        detections=detections.number_lists("keypoints", count),
        truths=truths.keypoints(count),
        boxes=truths.number_lists("bbox", 4),
        areas=sides[1].areas,
        sigmas=np.array(params.kpt_oks_sigmas, np.float64),
    )
