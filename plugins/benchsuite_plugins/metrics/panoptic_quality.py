"""Panoptic quality (PQ), as ``panopticapi`` and the Cityscapes scripts compute it.

Kirillov et al., Panoptic Segmentation, 2019.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite._version import __version__
from benchsuite.columns.arrow_arrays import from_numpy, from_values, is_present, to_numpy
from benchsuite.errors import ContractError
from benchsuite.protocols import Predictions, Scores, Truth
from benchsuite.schemas import PER_CLASS
from benchsuite_plugins.metrics.image_weights import image_columns, row_weights
from benchsuite_plugins.metrics.panoptic_match import PanopticHeader, match

_Floats = NDArray[np.float64]


class PanopticQuality:
    """PQ, SQ and RQ of all categories, of things (``_th``) and of stuff (``_st``).

    ``accumulate`` adds up IoUs image by image, by ascending id, as panopticapi does in a single
    process when its file lists images in that order, as COCO's do; whatever the order of the
    table's rows.
    """

    @property
    def evaluator(self) -> str:
        return f"benchsuite {__version__}"

    def match(self, truth: Truth, predictions: Predictions) -> pa.Table:
        """The match table: see ``panoptic_match``."""
        header = PanopticHeader.of_categories(truth.categories, self.evaluator)
        return match(truth, predictions, header)

    def accumulate(
        self, matches: pa.Table, image_weights: Mapping[int, float] | None = None
    ) -> Scores:
        """The means, and the values of each category; -1 (null for a category) where none counts.

        A row counts as often as its image: IoUs and numbers of segments are multiplied by its
        weight.
        """
        rows = _Rows.of(matches)
        weights = row_weights(rows.images, image_weights)
        quality = rows.quality(weights[None])
        return Scores(
            {name: float(values[0]) for name, values in quality.means(rows.header).items()},
            quality.per_class(rows.header),
        )

    def resample(
        self, matches: pa.Table, image_ids: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> dict[str, _Floats]:
        """The means for each row of (R, I) weights of the images, to the bit ``accumulate``'s."""
        rows = _Rows.of(matches)
        columns = image_columns(rows.images, image_ids)
        rows, columns = rows.take(np.flatnonzero(columns >= 0)), columns[columns >= 0]
        return rows.quality(weights, columns).means(rows.header)


def create() -> PanopticQuality:
    """The metric."""
    return PanopticQuality()


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a match table that count, in the order that they are added up in.

    Attributes:
        images: (N,) int64.
        categories: (N,) int64, places among the header's.
        kinds: (N,) int64: 0 a match, 1 wrong, 2 missed.
        iou: (N,), 0 where there is no match.
    """

    header: PanopticHeader
    images: NDArray[np.int64]
    categories: NDArray[np.int64]
    kinds: NDArray[np.int64]
    iou: _Floats

    @classmethod
    def of(cls, matches: pa.Table) -> _Rows:
        header = PanopticHeader.of(matches)
        ids = np.array(header.category_ids, np.int64)
        order = np.argsort(ids, kind="stable")
        categories = to_numpy(matches["category_id"])
        places = np.searchsorted(ids[order], categories)
        places = np.append(order, 0)[places] if len(ids) else np.zeros_like(places)
        if len(categories) and (not len(ids) or (ids[places] != categories).any()):
            raise ContractError("the match table holds categories that its header does not name")
        has_truth, has_prediction = (
            is_present(matches[f"{side}_segment"]) for side in ("truth", "predicted")
        )
        rows = cls(
            header,
            to_numpy(matches["image_id"]),
            places,
            np.where(has_truth & has_prediction, 0, np.where(has_prediction, 1, 2)),
            to_numpy(matches["iou"]),
        )
        keys = (to_numpy(matches[f"{side}_segment"]) for side in ("predicted", "truth"))
        in_order = np.lexsort((*keys, rows.images))
        return rows.take(in_order[~to_numpy(matches["ignored"])[in_order]])

    def take(self, rows: NDArray[np.int64]) -> _Rows:
        return _Rows(
            self.header,
            self.images[rows],
            self.categories[rows],
            self.kinds[rows],
            self.iou[rows],
        )

    def quality(self, weights: _Floats, columns: NDArray[np.int64] | None = None) -> _Quality:
        """The values of each category, for each of R weightings.

        Args:
            weights: (R, I).
            columns: (N,), the column of ``weights`` that a row's image has; default: its own.
        """
        count = len(self.header.category_ids)
        numbers = np.empty((len(weights), count, 3))
        iou = np.empty((len(weights), count))
        of_category = self.categories * 3 + self.kinds
        matched = np.flatnonzero(self.kinds == 0)
        for place, of_images in enumerate(weights):
            own = of_images if columns is None else of_images[columns]
            # bincount adds one after the other, which is what makes the sums panopticapi's.
            numbers[place] = np.bincount(of_category, own, 3 * count).reshape(count, 3)
            weighted = own[matched] * self.iou[matched]
            iou[place] = np.bincount(self.categories[matched], weighted, count)
        return _Quality.of(numbers, iou)


@dataclass(frozen=True, slots=True)
class _Quality:
    """PQ, SQ and RQ of K categories, for each of R weightings.

    Attributes:
        values: (3, R, K).
        counts: (R, K) bool, whether the category has any segment that counts.
    """

    values: _Floats
    counts: NDArray[np.bool_]

    @classmethod
    def of(cls, numbers: _Floats, iou: _Floats) -> _Quality:
        """Of matched, wrong and missed segments (R, K, 3) and sums of IoU (R, K)."""
        matched, wrong, missed = np.moveaxis(numbers, -1, 0)
        counts = matched + wrong + missed != 0
        halves = np.where(counts, matched + 0.5 * wrong + 0.5 * missed, 1)
        sq = iou / np.where(matched != 0, matched, 1)
        return cls(np.stack([iou / halves, sq, matched / halves]), counts)

    def means(self, header: PanopticHeader) -> dict[str, _Floats]:
        """(R,) for each name; -1 where no category counts."""
        things = np.array(header.things, np.bool_)
        found = {}
        for suffix, chosen in (("", np.ones_like(things)), ("_th", things), ("_st", ~things)):
            counts = self.counts[:, chosen]
            n = counts.sum(axis=1)
            for name, values in zip(("PQ", "SQ", "RQ"), self.values):
                # One after the other: NumPy's own sum pairs what it adds.
                terms = np.where(counts, values[:, chosen], 0)
                total = np.zeros(len(n))
                for k in range(terms.shape[1]):
                    total += terms[:, k]
                found[f"{name}{suffix}"] = np.where(n > 0, total / np.maximum(n, 1), -1.0)
        return found

    def per_class(self, header: PanopticHeader) -> pa.Table:
        """``schemas.PER_CLASS`` of the first weighting; null where the category has no segment."""
        ids = np.repeat(np.array(header.category_ids, np.int64), 3)
        present = np.repeat(self.counts[0], 3)
        columns = [
            from_numpy(ids),
            from_values(["PQ", "SQ", "RQ"] * len(header.category_ids), pa.string()),
            from_numpy(self.values[:, 0].T.ravel(), present),
        ]
        return pa.Table.from_arrays(columns, schema=PER_CLASS)
