"""Intersection over union of semantic maps, as Detectron2's ``SemSegEvaluator`` computes it.

mIoU, fwIoU (weighted by how frequent a category is in the truth), mAcc (the mean of the categories'
accuracies) and pAcc (the pixels' accuracy); the last two are Detectron2's mACC and pACC. The same
values of the boundaries of regions are boundary IoU (Cheng et al., Boundary IoU, 2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite._version import __version__
from benchsuite.columns.arrow_arrays import from_numpy, from_values, to_numpy
from benchsuite.protocols import Predictions, Scores, Truth
from benchsuite.schemas import PER_CLASS
from benchsuite_plugins.metrics.image_weights import image_columns, row_weights
from benchsuite_plugins.metrics.semantic_match import (
    NO_CATEGORY,
    SemanticHeader,
    category_places,
    match,
    match_boundaries,
)

_Floats = NDArray[np.float64]

DILATION_RATIO = 0.02
"""How far the boundary goes, as a part of the image's diagonal (Cheng et al.)."""


class SemanticIoU:
    """The protocol, as a ``benchsuite.protocols.Metric``.

    Categories that the truth does not have are left out of the means, whether they are predicted
    or not, and pixels whose truth is of no category do not count at all. A pixel for which nothing
    is predicted is missed.
    """

    @property
    def evaluator(self) -> str:
        return f"benchsuite {__version__}"

    def match(self, truth: Truth, predictions: Predictions) -> pa.Table:
        """The match table: see ``semantic_match``."""
        return match(truth, predictions, self._header(truth))

    def accumulate(
        self, matches: pa.Table, image_weights: Mapping[int, float] | None = None
    ) -> Scores:
        """The means, and IoU and accuracy of each category; -1 (null for a category) without truth.

        Pixels are multiplied by the weight of their image.
        """
        counts = _Counts.of(matches)
        values = _Values.of(counts.totals(row_weights(counts.images, image_weights)))
        return Scores(values.means(), values.per_class(counts.header))

    def resample(
        self, matches: pa.Table, image_ids: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> dict[str, _Floats]:
        """The means for each row of (R, I) weights of the images, to the bit ``accumulate``'s."""
        counts = _Counts.of(matches)
        columns = image_columns(counts.images, image_ids)
        counts, columns = counts.take(np.flatnonzero(columns >= 0)), columns[columns >= 0]
        means = [_Values.of(counts.totals(row[columns])).means() for row in weights]
        return {name: np.array([each[name] for each in means]) for name in NAMES}

    def _header(self, truth: Truth) -> SemanticHeader:
        return SemanticHeader(tuple(category.id for category in truth.categories), self.evaluator)


class SemanticBoundary(SemanticIoU):
    """The same of the boundaries of regions: boundary IoU of semantic maps."""

    def match(self, truth: Truth, predictions: Predictions) -> pa.Table:
        """The match table: see ``semantic_match.match_boundaries``."""
        return match_boundaries(truth, predictions, self._header(truth), DILATION_RATIO)


def create() -> SemanticIoU:
    """IoU of regions."""
    return SemanticIoU()


def boundary() -> SemanticBoundary:
    """IoU of the boundaries of regions."""
    return SemanticBoundary()


@dataclass(frozen=True, slots=True)
class _Counts:
    """Pixels of each image and category of which there are any, by ascending image id.

    Attributes:
        images: (N,) int64, ids.
        categories: (N,) int64, places among the header's.
        hits, truths, predicted: (N,) float64, pixels of both, of the truth, of the prediction.
    """

    header: SemanticHeader
    images: NDArray[np.int64]
    categories: NDArray[np.int64]
    hits: _Floats
    truths: _Floats
    predicted: _Floats

    @classmethod
    def of(cls, matches: pa.Table) -> _Counts:
        header = SemanticHeader.of(matches)
        pixels = to_numpy(matches["pixels"])
        image_ids, images = np.unique(to_numpy(matches["image_id"]), return_inverse=True)
        size = max(len(header.category_ids), 1)
        truths, predicted = (category_places(matches, side) for side in ("truth", "predicted"))
        hit = (truths == predicted) & (truths != NO_CATEGORY)
        chosen = [hit, truths != NO_CATEGORY, predicted != NO_CATEGORY]
        cells = [
            (images * size + places)[rows]
            for places, rows in zip((truths, truths, predicted), chosen)
        ]
        distinct, of_row = np.unique(np.concatenate(cells), return_inverse=True)
        hits, of_truth, of_predicted = (
            np.bincount(places, pixels[rows], len(distinct)).astype(np.float64)
            for places, rows in zip(
                np.split(of_row, np.cumsum([len(c) for c in cells[:2]])), chosen
            )
        )
        found = image_ids[distinct // size], distinct % size
        return cls(header, *found, hits, of_truth, of_predicted)

    def take(self, rows: NDArray[np.int64]) -> _Counts:
        return _Counts(
            self.header,
            self.images[rows],
            self.categories[rows],
            self.hits[rows],
            self.truths[rows],
            self.predicted[rows],
        )

    def totals(self, weights: _Floats) -> _Floats:
        """(3, K) hits, pixels of truth and predicted pixels, each row times its weight."""
        size = len(self.header.category_ids)
        columns = (self.hits, self.truths, self.predicted)
        return np.stack([np.bincount(self.categories, weights * c, size) for c in columns])


NAMES = ("mIoU", "fwIoU", "mAcc", "pAcc")


@dataclass(frozen=True, slots=True)
class _Values:
    """IoU and accuracy of each of K categories; those without truth have none.

    Attributes:
        hits, truths: (K,), pixels.
        iou, accuracy: (K,).
    """

    hits: _Floats
    truths: _Floats
    iou: _Floats
    accuracy: _Floats

    @classmethod
    def of(cls, totals: _Floats) -> _Values:
        hits, truths, predicted = totals
        there = truths > 0
        union = np.where(there, truths + predicted - hits, 1)
        return cls(hits, truths, hits / union, hits / np.where(there, truths, 1))

    def means(self) -> dict[str, float]:
        there = self.truths > 0
        if not there.any():
            return dict.fromkeys(NAMES, -1.0)
        count, everything = int(there.sum()), np.add.reduce(self.truths)
        values = (
            np.add.reduce(self.iou[there]) / count,
            np.add.reduce(self.iou[there] * (self.truths / everything)[there]),
            np.add.reduce(self.accuracy[there]) / count,
            np.add.reduce(self.hits) / everything,
        )
        return dict(zip(NAMES, map(float, values)))

    def per_class(self, header: SemanticHeader) -> pa.Table:
        """``schemas.PER_CLASS``; null where the category has no truth."""
        ids = np.array(header.category_ids, np.int64)
        columns = [
            from_numpy(np.repeat(ids, 2)),
            from_values(["IoU", "Acc"] * len(ids), pa.string()),
            from_numpy(
                np.stack([self.iou, self.accuracy], axis=1).ravel(), np.repeat(self.truths > 0, 2)
            ),
        ]
        return pa.Table.from_arrays(columns, schema=PER_CLASS)
