"""Cityscapes' pixel scores, from the table of counted pixels alone.

* IoU of a label: pixels that both sides give it, of those that either gives it, where truth that is
  ignored does not count. Predicting an ignored label is to miss the truth.
* iIoU of a label with instances: the same, each object's found and missed pixels being multiplied
  by the average size of objects of its label over its own size. False positives are as they are.
* Categories are groups of labels: what is confused within one is found. iIoU is there for those of
  whose labels all have instances.
* The averages are over what has a value; a label that is neither in the truth nor predicted has
  none.

The sums are made in cityscapesscripts' order (by image id, then number), so that the outcome is its
own to the bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_rows, to_numpy
from benchsuite.protocols import Scores
from benchsuite.schemas import PER_CLASS
from benchsuite_plugins.datasets.cityscapes.labels import (
    EVALUATED,
    INSTANCE_FACTOR,
    LABELS,
)
from benchsuite_plugins.metrics.cityscapes.pixel_table import NO_MAP, PixelHeader
from benchsuite_plugins.metrics.image_weights import row_weights

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]

AVERAGE_SIZES = {
    "person": 3462.4756337644,
    "rider": 3930.4788056518,
    "car": 12794.0202738185,
    "truck": 27855.1264367816,
    "bus": 35732.1511111111,
    "train": 67583.7075812274,
    "motorcycle": 6298.7200839748,
    "bicycle": 4672.3249222261,
}
"""Pixels of an average object of each label, as the evaluation server counts with."""

CATEGORIES = tuple(dict.fromkeys(label.category for label in EVALUATED))
"""Groups of labels, in the labels' order."""

_CATEGORY_PLACES = {category: place for place, category in enumerate(CATEGORIES)}
_OF_CATEGORY = {
    category: np.array([label.id for label in LABELS if label.category == category], np.int64)
    for category in CATEGORIES
}
INSTANCE_CATEGORIES = tuple(
    category
    for category in CATEGORIES
    if all(LABELS[label].has_instances for label in _OF_CATEGORY[category])
)
"""Those of whose labels all have instances."""


_CATEGORY_OF = np.array([_CATEGORY_PLACES.get(label.category, -1) for label in LABELS])
_AVERAGE_SIZE = np.array([AVERAGE_SIZES.get(label.name, 0.0) for label in LABELS])


@dataclass(frozen=True, slots=True)
class Objects:
    """Pixels found and missed of each object, weighted by its size; by image id, then number.

    Attributes:
        images, labels: (O,) int64, image ids and label ids.
        found, missed: (O,) float64, by label.
        category_found, category_missed: (O,) float64, by category.
    """

    images: _Ints
    labels: _Ints
    found: _Floats
    missed: _Floats
    category_found: _Floats
    category_missed: _Floats

    @classmethod
    def of(cls, images: _Ints, numbers: _Ints, predicted: _Ints, pixels: _Ints) -> Objects:
        """The objects of sorted rows of the table."""
        changes = (images[1:] != images[:-1]) | (numbers[1:] != numbers[:-1])
        starts = np.flatnonzero(np.concatenate([[True], changes])[: len(images)])
        labels = numbers // INSTANCE_FACTOR
        same_category = _CATEGORY_OF[predicted] == _CATEGORY_OF[labels]
        sizes, hits, category_hits = (
            np.add.reduceat(pixels * counted, starts) if len(starts) else pixels
            for counted in (1, predicted == labels, same_category)
        )
        factors = _AVERAGE_SIZE[labels[starts]] / sizes
        return cls(
            images[starts],
            labels[starts],
            hits * factors,
            (sizes - hits) * factors,
            category_hits * factors,
            (sizes - category_hits) * factors,
        )

    def summed(self, weights: _Floats) -> ObjectSums:
        """Sums over the objects; ``weights``: (O,), how often each counts."""

        def by(groups: _Ints, values: _Floats) -> _Floats:
            # bincount adds one after the other, from 0 on, as the script does.
            return np.bincount(groups, weights * values, minlength=len(LABELS)).astype(np.float64)

        categories = _CATEGORY_OF[self.labels]
        return ObjectSums(
            by(self.labels, self.found),
            by(self.labels, self.missed),
            by(categories, self.category_found),
            by(categories, self.category_missed),
        )


@dataclass(frozen=True, slots=True)
class ObjectSums:
    """Weighted pixels of objects, by label id and by place in ``CATEGORIES``."""

    found: _Floats
    missed: _Floats
    category_found: _Floats
    category_missed: _Floats


class PixelRows:
    """A table of counted pixels, ready to be summed under any weights.

    Args:
        matches: rows in any order; tables of different images may be concatenated.

    Attributes:
        images: (N,) int64, image ids of what is counted by label.
        unmapped: ids of images without an instance map.
        objects: what is counted by object.

    Raises:
        ContractError: the table holds something else.
    """

    def __init__(self, matches: pa.Table) -> None:
        PixelHeader.of(matches)
        names = ("image_id", "number", "predicted", "pixels")
        images, numbers, predicted, pixels = (to_numpy(matches[name]) for name in names)
        is_instance = to_numpy(matches["is_instance"])
        order = np.lexsort((predicted, numbers, images))
        rows = order[~is_instance[order]]
        self.images = images[rows]
        self._cells = numbers[rows] * len(LABELS) + predicted[rows]
        self._pixels = pixels[rows].astype(np.float64)
        self.unmapped = np.unique(images[is_instance & (numbers == NO_MAP)])
        rows = order[(is_instance & (numbers != NO_MAP))[order]]
        self.objects = Objects.of(images[rows], numbers[rows], predicted[rows], pixels[rows])

    def confusion(self, weights: _Floats) -> _Floats:
        """(L, L) pixels by true and predicted label id; ``weights``: (N,), one a row."""
        count = len(LABELS)
        sums = np.bincount(self._cells, weights * self._pixels, minlength=count * count)
        return sums.reshape(count, count).astype(np.float64)


Values = dict[str, dict[str, float]]
"""Score name to label's or category's name to value; NaN where there is none."""


def scores_of(confusion: _Floats, objects: ObjectSums | None) -> Values:
    """IoU, iIoU, IoU_category and iIoU_category.

    Args:
        confusion: (L, L) pixels by true and predicted label id.
        objects: ``None``: nothing is known of objects.
    """
    evaluated = np.array([label.id for label in EVALUATED])
    values: Values = {"IoU": {}, "iIoU": {}, "IoU_category": {}, "iIoU_category": {}}
    for label in EVALUATED:
        true = confusion[label.id, label.id]
        missed = confusion[label.id].sum() - true
        false = confusion[evaluated[evaluated != label.id], label.id].sum()
        values["IoU"][label.name] = _share(true, false, missed)
        if objects is not None and label.has_instances:
            found, lost = objects.found[label.id], objects.missed[label.id]
            values["iIoU"][label.name] = _share(found, false, lost)
    for place, category in enumerate(CATEGORIES):
        inside = _OF_CATEGORY[category]
        own = np.intersect1d(inside, evaluated)
        others = np.setdiff1d(evaluated, inside)
        true = confusion[np.ix_(own, own)].sum()
        missed = confusion[own].sum() - true
        false = confusion[np.ix_(others, own)].sum()
        values["IoU_category"][category] = _share(true, false, missed)
        if objects is not None and category in INSTANCE_CATEGORIES:
            found, lost = objects.category_found[place], objects.category_missed[place]
            false = confusion[np.ix_(others, inside)].sum()
            values["iIoU_category"][category] = _share(found, false, lost)
    return values


def _share(true: float, false: float, missed: float) -> float:
    whole = true + false + missed
    return float("nan") if whole == 0 else float(true / whole)


def summary(values: Values) -> dict[str, float]:
    """The averages over labels and over categories; -1 where there is nothing to measure."""
    return {name: _average(of.values()) for name, of in values.items()}


def _average(values: Iterable[float]) -> float:
    total, count = 0.0, 0
    for value in values:
        if not np.isnan(value):
            total, count = total + value, count + 1
    return total / count if count else -1.0


def per_class(values: Values) -> pa.Table:
    """``schemas.PER_CLASS``: each label's values and those of its category; null: there is none."""
    rows = []
    for label in EVALUATED:
        for name, of in values.items():
            value = of.get(label.category if name.endswith("category") else label.name, np.nan)
            if label.has_instances or not name.startswith("i"):
                shown = None if np.isnan(value) else value
                rows.append({"category_id": label.id, "metric": name, "value": shown})
    return from_rows(rows, PER_CLASS)


def accumulate(matches: pa.Table, image_weights: Mapping[int, float] | None = None) -> Scores:
    """The averages over labels and over categories, and the values of each.

    Args:
        matches: rows in any order; tables of different images may be concatenated.
        image_weights: image id to how often the image counts; an image not named counts 0.
            ``None``: each counts once.

    Raises:
        ContractError: the table holds something else, or a weight is negative or not finite.
    """
    values = weighted_scores(PixelRows(matches), image_weights)
    return Scores(summary(values), per_class(values))


def weighted_scores(rows: PixelRows, image_weights: Mapping[int, float] | None) -> Values:
    """All values under weights of images, as ``accumulate`` takes them."""
    objects = None
    if not row_weights(rows.unmapped, image_weights).any():
        objects = rows.objects.summed(row_weights(rows.objects.images, image_weights))
    return scores_of(rows.confusion(row_weights(rows.images, image_weights)), objects)
