"""Average precision of VOC match tables, equal to the development kit's arithmetic to the bit.

Detections of a category are counted by descending score; among equal scores the earlier in the
file comes first (the kit's sort is stable; Detectron2's, NumPy's default, leaves the order of ties
to the machine).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import to_numpy
from benchsuite.errors import ContractError
from benchsuite_plugins.metrics.voc.options import Interpolation
from benchsuite_plugins.metrics.voc.table import VocHeader

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

ELEVEN_RECALLS = np.arange(0.0, 1.1, 0.1)

_LEAST = np.finfo(np.float64).eps
"""What a precision is divided by at least: the first detection may be of a difficult object."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The true positives of one category at one threshold, by descending score.

    Attributes:
        recall, precision, score: (N,) where each is counted.
    """

    recall: _Floats
    precision: _Floats
    score: _Floats

    def envelope(self) -> _Floats:
        """(N,) the best precision at each recall or a higher one."""
        return np.asarray(np.maximum.accumulate(self.precision[::-1])[::-1])

    def read_off(self, recalls: _Floats) -> tuple[_Floats, _Floats]:
        """Best precision at each of these recalls or a higher one, and the score there; else 0."""
        at = np.searchsorted(self.recall, recalls, side="left")
        reached = at < len(self.recall)
        precision, score = np.zeros((2, len(recalls)))
        precision[reached] = self.envelope()[at[reached]]
        score[reached] = self.score[at[reached]]
        return precision, score

    def average_precision(self, interpolation: Interpolation) -> float:
        if interpolation == "11-point":
            total = 0.0
            for precision in self.read_off(ELEVEN_RECALLS)[0].tolist():
                total = total + precision / 11.0
            return total
        if not len(self.recall):
            return 0.0
        steps = np.diff(self.recall, prepend=0.0) * self.envelope()
        # The official sum has a last, empty step up to recall 1; a sum's digits depend on its
        # length.
        return float(np.sum(np.append(steps, 0.0) if self.recall[-1] != 1.0 else steps))


class VocCurves:
    """A match table's detections in the order that they are counted in.

    Made once, evaluated for any weights of the images.

    Args:
        matches: rows in any order; tables of different images may be concatenated.

    Raises:
        ContractError: the table is no match table.
    """

    def __init__(self, matches: pa.Table) -> None:
        self.header = VocHeader.of(matches)
        categories = np.array(self.header.category_ids, np.int64)
        ids = to_numpy(matches["category_id"])
        if not np.isin(ids, categories).all():
            raise ContractError("the match table holds categories that its header does not name")
        places = np.searchsorted(categories, ids)
        images, is_truth = to_numpy(matches["image_id"]), to_numpy(matches["is_truth"])
        scores, sources = to_numpy(matches["score"]), to_numpy(matches["source_id"])
        matched, ignored = to_numpy(matches["matched_all"]), to_numpy(matches["ignored_all"])

        wanted = np.flatnonzero(is_truth & (ignored == 0))
        self._truth_images, self._truth_places = images[wanted], places[wanted]
        rows = np.flatnonzero(~is_truth)
        rows = rows[np.lexsort((images[rows], sources[rows], -scores[rows], places[rows]))]
        self._images, self._places, self._scores = images[rows], places[rows], scores[rows]
        self._true, self._ignored = matched[rows] & ~ignored[rows], ignored[rows]

    def weighted(self, ids: _Ints, weights: _Floats) -> list[list[Curve | None]]:
        """Curves, each image counted so many times.

        Args:
            ids: (I,) image ids, ascending; an image that is not named counts 0.
            weights: (I,), not negative. With whole numbers the outcome is to the bit that of an
                image set in which each image stands that many times, its copies next to each other.

        Returns:
            For each category (in the header's order) a curve for each threshold; ``None`` where
            the category has no truth to find.
        """
        of_truths = _weights_of(self._truth_images, ids, weights)
        truths = np.zeros(len(self.header.category_ids))
        np.add.at(truths, self._truth_places, of_truths)
        own = _weights_of(self._images, ids, weights)
        rows, own = self._copied(np.flatnonzero(own > 0), own)
        return self._curves(rows, own, truths)

    def unweighted(self) -> list[list[Curve | None]]:
        """Curves, each image counted once; as ``weighted``."""
        truths = np.bincount(self._truth_places, minlength=len(self.header.category_ids))
        rows = np.arange(len(self._images))
        return self._curves(rows, np.ones(len(rows)), truths.astype(np.float64))

    def _curves(self, rows: _Ints, weights: _Floats, truths: _Floats) -> list[list[Curve | None]]:
        starts = np.searchsorted(self._places[rows], np.arange(len(truths) + 1))
        curves = []
        for place, wanted in enumerate(truths.tolist()):
            of_category = slice(starts[place], starts[place + 1])
            curves.append(self._of_category(rows[of_category], weights[of_category], wanted))
        return curves

    def _of_category(self, rows: _Ints, weights: _Floats, truths: float) -> list[Curve | None]:
        thresholds = range(len(self.header.iou_thresholds))
        if not truths:
            return [None for _ in thresholds]
        true, ignored, scores = self._true[rows], self._ignored[rows], self._scores[rows]
        counted = np.cumsum(weights)
        curves: list[Curve | None] = []
        for place in thresholds:
            bit = self.header.bits.type(1 << place)
            at = np.flatnonzero(true & bit)
            found = np.cumsum(weights[at])
            of_difficult = np.flatnonzero(ignored & bit)
            passed_over = np.append(0.0, np.cumsum(weights[of_difficult]))
            before = counted[at] - passed_over[np.searchsorted(of_difficult, at)]
            precision = found / np.maximum(before, _LEAST)
            curves.append(Curve(found / truths, precision, scores[at]))
        return curves

    def _copied(self, rows: _Ints, weights: _Floats) -> tuple[_Ints, _Floats]:
        """The rows, those of an image that counts w times standing w times where w is whole.

        Rows of one image that follow each other with equal score are copied together: of two rows
        a and b that count twice the succession is a b a b.
        """
        own = weights[rows]
        if not len(rows):
            return rows, own
        begins = np.ones(len(rows), np.bool_)
        keys = (self._places, self._scores, self._images)
        begins[1:] = np.any([key[rows][1:] != key[rows][:-1] for key in keys], axis=0)
        starts = np.flatnonzero(begins)
        lengths = np.diff(np.append(starts, len(rows)))
        copies = np.where(own[starts] % 1 == 0, own[starts], 1).astype(np.int64)
        sizes = lengths * copies
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        places = np.repeat(starts, sizes) + within % np.repeat(lengths, sizes)
        return rows[places], own[places] / np.repeat(copies, sizes)


def _weights_of(images: _Ints, ids: _Ints, weights: _Floats) -> _Floats:
    """(N,) the weight of each row's image."""
    known, values = np.append(ids, 0), np.append(weights, 0.0)
    at = np.searchsorted(ids, images)
    return np.asarray(np.where(known[at] == images, values[at], 0.0))


def mean(values: Any) -> float:
    """The mean of those that are there; -1 if none is."""
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else -1.0
