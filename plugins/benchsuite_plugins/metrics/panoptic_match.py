"""Matching of panoptic segments, as ``panopticapi`` does it.

Kirillov et al., Panoptic Segmentation, 2019; ``pq_compute_single_core`` of panopticapi, whose
evaluation of Cityscapes is the same.

A predicted segment matches a segment of truth of its category where their IoU is above 0.5. Truth's
area is what its list says, a prediction's the pixels of its map. Pixels that are void (number 0) in
the truth are taken out of the union. Crowds are neither matched nor missed. A predicted segment
that matches nothing is wrong, unless more than half of it is void or crowd of its category; of
several crowds of a category the last of the list counts.

The match table has a row for each pair that matches, for each segment of truth that is not matched,
and for each predicted one:

* ``image_id``, ``category_id``: int64.
* ``truth_segment``, ``predicted_segment``: int64, their numbers; null where there is none.
* ``iou``: float64; null where there is no pair.
* ``ignored``: bool, whether the row counts for nothing: a crowd, or what is predicted on void.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy
from benchsuite.errors import ContractError
from benchsuite.protocols import Predictions, Truth
from benchsuite.specs import Category
from benchsuite_kernels.columns.label_maps import PairCounts
from benchsuite_plugins.metrics.map_pairs import MapPairs, Rows
from benchsuite_plugins.metrics.map_segments import Segments

VOID = 0
"""What pixels hold that belong to no segment, unless one of that number is listed."""

NONE = 1 << 24
"""Stands for "no segment": a number that no map can hold."""

_KEY = b"benchsuite.panoptic_match"


@dataclass(frozen=True, slots=True)
class PanopticHeader:
    """What is common to all rows of a match table, and kept in its schema.

    Attributes:
        category_ids: all categories, in file order, which is the order that means are taken in.
        things: whether each is a thing.
        evaluator: what made the table, with its version.
    """

    category_ids: tuple[int, ...]
    things: tuple[bool, ...]
    evaluator: str

    @classmethod
    def of_categories(cls, categories: Sequence[Category], evaluator: str) -> PanopticHeader:
        ids = tuple(category.id for category in categories)
        return cls(ids, tuple(category.isthing for category in categories), evaluator)

    def schema(self) -> pa.Schema:
        """The table's schema, with this header in its metadata."""
        fields: list[pa.Field] = [
            pa.field("image_id", pa.int64(), nullable=False),
            pa.field("category_id", pa.int64(), nullable=False),
            pa.field("truth_segment", pa.int64()),
            pa.field("predicted_segment", pa.int64()),
            pa.field("iou", pa.float64()),
            pa.field("ignored", pa.bool_(), nullable=False),
        ]
        content = {
            "category_ids": self.category_ids,
            "things": self.things,
            "evaluator": self.evaluator,
        }
        return pa.schema(fields, metadata={_KEY: json.dumps(content)})

    @classmethod
    def of(cls, matches: pa.Table) -> PanopticHeader:
        """The header of a match table. Raises ``ContractError`` if it has none."""
        metadata = matches.schema.metadata or {}
        if _KEY not in metadata:
            raise ContractError("the table is no panoptic match table: its schema has no header")
        content = json.loads(metadata[_KEY])
        return cls(tuple(content["category_ids"]), tuple(content["things"]), content["evaluator"])


def match(truth: Truth, predictions: Predictions, header: PanopticHeader) -> pa.Table:
    """The match table of the images that have a row in ``predictions.images``, by ascending id.

    Raises:
        InputError: a map cannot be read or is of another size than the truth's; a map and its list
            of segments do not belong together; a category is unknown.
    """
    pairs = MapPairs.of(truth, predictions, "panoptic")
    counts = pairs.count()
    truths = Segments.of(truth.images, pairs, "truth")
    predicted = Segments.of(predictions.images, pairs, "prediction")
    _check_categories(truths, pairs, "truth", header)
    _check_categories(predicted, pairs, "prediction", header)
    of_truth = truths.find(counts.images, counts.truths)
    of_predicted = predicted.find(counts.images, counts.predictions)
    areas = _predicted_areas(predicted, of_predicted, counts, pairs)
    on_void = counts.truths == VOID
    void = _sums(of_predicted[on_void], counts.pixels[on_void], len(predicted))

    both = (of_truth >= 0) & (of_predicted >= 0)
    a, b, common = of_truth[both], of_predicted[both], counts.pixels[both]
    alike = truths.category_ids[a] == predicted.category_ids[b]
    in_crowd = alike & _last_crowds(truths)[a]
    unscored = void + _sums(b[in_crowd], common[in_crowd], len(predicted))

    alike &= ~truths.iscrowd[a]
    a, b, common = a[alike], b[alike], common[alike]
    union = areas[b] + truths.areas[a] - common - void[b]
    if (union <= 0).any():
        segment = int(a[(union <= 0).argmax()])
        problem = f"has more pixels in the map than the list says, {truths.areas[segment]}"
        place = int(truths.images[segment])
        raise pairs.error(place, "truth", problem, int(truths.ids[segment]))
    iou = common / union
    matched = iou > 0.5
    matches = _Matches(truths, predicted, a[matched], b[matched], iou[matched])
    return matches.table(header, pairs.image_ids, 2 * unscored > areas)


@dataclass(frozen=True, slots=True)
class _Matches:
    """Pairs of segments: places among those of truth and of prediction, and their IoU."""

    truths: Segments
    predicted: Segments
    of_truths: Rows
    of_predicted: Rows
    iou: NDArray[np.float64]

    def table(
        self, header: PanopticHeader, image_ids: Rows, unscored: NDArray[np.bool_]
    ) -> pa.Table:
        """The match table; ``unscored`` are predicted segments that need not match anything."""
        truths, predicted = self.truths, self.predicted
        missed, wrong = np.ones(len(truths), np.bool_), np.ones(len(predicted), np.bool_)
        missed[self.of_truths], wrong[self.of_predicted] = False, False
        a = np.concatenate([self.of_truths, np.flatnonzero(missed)])
        b = np.concatenate([self.of_predicted, np.flatnonzero(wrong)])
        n_matches, n_wrong = len(self.iou), int(wrong.sum())
        no_truth, no_prediction = np.full(n_wrong, NONE), np.full(len(a) - n_matches, NONE)
        images = np.concatenate([truths.images[a], predicted.images[b[n_matches:]]])
        categories = np.concatenate([truths.category_ids[a], predicted.category_ids[b[n_matches:]]])
        truth_ids = np.concatenate([truths.ids[a], no_truth])
        predicted_ids = np.insert(predicted.ids[b], n_matches, no_prediction)
        iou = np.zeros(len(images))
        iou[:n_matches] = self.iou
        ignored = np.concatenate([truths.iscrowd[a], unscored[b[n_matches:]]])
        order = np.lexsort((predicted_ids, truth_ids, images))
        columns = [
            from_numpy(image_ids[images[order]]),
            from_numpy(categories[order]),
            from_numpy(truth_ids[order], truth_ids[order] != NONE),
            from_numpy(predicted_ids[order], predicted_ids[order] != NONE),
            from_numpy(iou[order], order < n_matches),
            from_numpy(ignored[order]),
        ]
        return pa.Table.from_arrays(columns, schema=header.schema())


def _predicted_areas(
    predicted: Segments, of_predicted: Rows, counts: PairCounts, pairs: MapPairs
) -> Rows:
    """(S,) pixels of each predicted segment: at least 1, and all pixels are of one or void."""
    unlisted = np.flatnonzero((of_predicted < 0) & (counts.predictions != VOID))
    if len(unlisted):
        place, number = counts.images[unlisted[0]], counts.predictions[unlisted[0]]
        problem = "is in the map, but not in the list of segments"
        raise pairs.error(int(place), "prediction", problem, int(number))
    areas = _sums(of_predicted, counts.pixels, len(predicted))
    if not areas.all():
        segment = int(areas.argmin())
        place, number = predicted.images[segment], predicted.ids[segment]
        problem = "is in the list of segments, but not in the map"
        raise pairs.error(int(place), "prediction", problem, int(number))
    return areas


def _last_crowds(truths: Segments) -> NDArray[np.bool_]:
    """(S,) whether a segment is the last crowd of its image and category."""
    crowds = np.flatnonzero(truths.iscrowd)
    keys = np.stack([truths.images[crowds], truths.category_ids[crowds]], axis=1)
    _, from_the_end = np.unique(keys[::-1], axis=0, return_index=True)
    last = np.zeros(len(truths), np.bool_)
    last[crowds[::-1][from_the_end]] = True
    return last


def _sums(places: Rows, pixels: Rows, count: int) -> Rows:
    """(count,) pixels by place, of those that have one: whole numbers, exact below 2^53."""
    listed = places >= 0
    return np.bincount(places[listed], pixels[listed], count).astype(np.int64)


def _check_categories(
    segments: Segments, pairs: MapPairs, side: str, header: PanopticHeader
) -> None:
    unknown = np.flatnonzero(~np.isin(segments.category_ids, np.array(header.category_ids)))
    if len(unknown):
        segment = unknown[0]
        problem = f"has category id {segments.category_ids[segment]}, which is none of the truth's"
        raise pairs.error(int(segments.images[segment]), side, problem, int(segments.ids[segment]))
