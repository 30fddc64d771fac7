"""Which categories truth and prediction have at the same pixels: a confusion matrix an image.

The match table has a row for each image and pair of categories that occurs there:

* ``image_id``: int64.
* ``truth_category_id``, ``predicted_category_id``: int64. Pixels whose truth is of no category are
  not counted; where the prediction is of none, its id is null. In a table of boundaries a side's id
  is null as well where the pixel is not at the boundary of a region of that side.
* ``pixels``: int64, how many.

A semantic map holds category ids; a number that is no category's id stands for none, 0 as well as
255. Truth may be panoptic maps in place of semantic ones: what counts then is the category of the
segment, things and crowds included.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy, to_numpy
from benchsuite.errors import ContractError
from benchsuite.protocols import Predictions, Truth
from benchsuite_kernels.columns.label_maps import (
    NOT_AT_BOUNDARY,
    MapClasses,
    count_boundary_pairs,
)
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.metrics.image_weights import row_weights
from benchsuite_plugins.metrics.map_pairs import FORMS, MapPairs, Rows
from benchsuite_plugins.metrics.map_segments import Segments

_KEY = b"benchsuite.semantic_match"

NO_CATEGORY = -1
"""Stands for "of no category" among places of categories."""

_NULL = np.iinfo(np.int64).min
"""Stands for null among ids of categories."""


@dataclass(frozen=True, slots=True)
class SemanticHeader:
    """What is common to all rows of a match table, and kept in its schema.

    Attributes:
        category_ids: all categories, in file order.
        evaluator: what made the table, with its version.
    """

    category_ids: tuple[int, ...]
    evaluator: str

    def schema(self) -> pa.Schema:
        """The table's schema, with this header in its metadata."""
        fields: list[pa.Field] = [
            pa.field("image_id", pa.int64(), nullable=False),
            pa.field("truth_category_id", pa.int64()),
            pa.field("predicted_category_id", pa.int64()),
            pa.field("pixels", pa.int64(), nullable=False),
        ]
        content = {"category_ids": self.category_ids, "evaluator": self.evaluator}
        return pa.schema(fields, metadata={_KEY: json.dumps(content)})

    @classmethod
    def of(cls, matches: pa.Table) -> SemanticHeader:
        """The header of a match table. Raises ``ContractError`` if it has none."""
        metadata = matches.schema.metadata or {}
        if _KEY not in metadata:
            raise ContractError("the table is no semantic match table: its schema has no header")
        content = json.loads(metadata[_KEY])
        return cls(tuple(content["category_ids"]), content["evaluator"])


def match(truth: Truth, predictions: Predictions, header: SemanticHeader) -> pa.Table:
    """The match table of the images that have a row in ``predictions.images``, by ascending id.

    Raises:
        InputError: a map is missing, cannot be read or is of another size than the truth's.
    """
    pairs = MapPairs.of(truth, predictions, "semantic")
    counts = pairs.count()
    of_truth = _categories(_truth_classes(truth, pairs, header), counts.images, counts.truths)
    of_predicted = _categories(_own_classes(header), counts.images, counts.predictions)
    counted = of_truth != NO_CATEGORY
    images, truths, predicted, pixels = (
        column[counted] for column in (counts.images, of_truth, of_predicted, counts.pixels)
    )
    return _table(header, pairs.image_ids, images, truths, predicted, pixels)


def match_boundaries(
    truth: Truth, predictions: Predictions, header: SemanticHeader, dilation_ratio: float
) -> pa.Table:
    """The match table of pixels at the boundaries of regions of a category.

    Args:
        dilation_ratio: how far from the boundary such pixels are, as a part of the image's
            diagonal; see ``label_maps.count_boundary_pairs``.

    Raises:
        InputError: as ``match`` does.
    """
    pairs = MapPairs.of(truth, predictions, "semantic")
    with pairs.naming_maps():
        counts = count_boundary_pairs(
            pairs.truths.sources,
            pairs.predictions.sources,
            _truth_classes(truth, pairs, header),
            _own_classes(header),
            truth_form=FORMS[pairs.truths.kind],
            prediction_form=FORMS[pairs.predictions.kind],
            dilation_ratio=dilation_ratio,
            threads=evaluation_threads(),
        )
    truths, predicted = (
        np.where(each == NOT_AT_BOUNDARY, NO_CATEGORY, each)
        for each in (counts.truths, counts.predictions)
    )
    return _table(header, pairs.image_ids, counts.images, truths, predicted, counts.pixels)


def confusion_matrix(
    matches: pa.Table, image_weights: Mapping[int, float] | None = None
) -> NDArray[np.float64]:
    """(K + 1, K + 1) pixels: truth by row, prediction by column, in the header's order.

    The last row and column are those of no category.

    Args:
        image_weights: image id to how often the image counts; one not named counts 0. ``None``:
            each counts once.
    """
    size = len(SemanticHeader.of(matches).category_ids) + 1
    truths, predicted = (category_places(matches, side) for side in ("truth", "predicted"))
    weights = row_weights(to_numpy(matches["image_id"]), image_weights)
    # NO_CATEGORY is the last place, counted from the end.
    cells = truths % size * size + predicted % size
    pixels: NDArray[Any] = np.bincount(cells, to_numpy(matches["pixels"]) * weights, size * size)
    return pixels.reshape(size, size)


def category_places(matches: pa.Table, side: str) -> Rows:
    """(N,) places of a side's categories among the header's; ``NO_CATEGORY`` where there is none.

    Args:
        side: ``"truth"`` or ``"predicted"``.

    Raises:
        ContractError: a category is not one of the header's.
    """
    header = SemanticHeader.of(matches)
    ids = to_numpy(matches[f"{side}_category_id"], missing=_NULL)
    places = _categories(_own_classes(header), np.zeros(len(ids), np.int64), ids)
    if ((places == NO_CATEGORY) & (ids != _NULL)).any():
        raise ContractError("the match table holds categories that its header does not name")
    return places


def _ascending(ids: Rows) -> tuple[Rows, Rows]:
    order = np.argsort(ids, kind="stable")
    return ids[order], order


def _own_classes(header: SemanticHeader) -> MapClasses:
    """Category ids as they are in a semantic map."""
    return MapClasses(*_ascending(np.array(header.category_ids, np.int64)))


def _truth_classes(truth: Truth, pairs: MapPairs, header: SemanticHeader) -> MapClasses:
    if pairs.truths.kind == "semantic":
        return _own_classes(header)
    segments = Segments.of(truth.images, pairs, "truth")
    places = _categories(_own_classes(header), segments.images, segments.category_ids)
    order = np.lexsort((segments.ids, segments.images))
    order = order[places[order] != NO_CATEGORY]
    starts = np.searchsorted(segments.images[order], np.arange(len(pairs.image_ids) + 1))
    return MapClasses(segments.ids[order], places[order], starts)


def _categories(classes: MapClasses, images: Rows, numbers: Rows) -> Rows:
    """(N,) the class of each number of an image; ``NO_CATEGORY`` where it is of none."""
    if classes.starts is None:
        keys, wanted = classes.numbers, numbers
    else:
        of_list = np.repeat(np.arange(len(classes.starts) - 1), np.diff(classes.starts))
        keys, wanted = of_list << 32 | classes.numbers, images << 32 | numbers
    places = np.searchsorted(keys, wanted)
    found = np.append(keys, _NULL)[places] == wanted
    return np.where(found, np.append(classes.classes, NO_CATEGORY)[places], NO_CATEGORY)


def _table(
    header: SemanticHeader,
    image_ids: Rows,
    images: Rows,
    truths: Rows,
    predicted: Rows,
    pixels: Rows,
) -> pa.Table:
    """Rows of places of images and categories, those of the same three places made one."""
    size = len(header.category_ids) + 1
    keys = (images * size + truths + 1) * size + predicted + 1
    distinct, of_row = np.unique(keys, return_inverse=True)
    ids = np.array([_NULL, *header.category_ids], np.int64)
    of_truths, of_predicted = ids[distinct // size % size], ids[distinct % size]
    columns = [
        from_numpy(image_ids[distinct // (size * size)]),
        from_numpy(of_truths, of_truths != _NULL),
        from_numpy(of_predicted, of_predicted != _NULL),
        from_numpy(np.bincount(of_row, pixels, len(distinct)).astype(np.int64)),
    ]
    return pa.Table.from_arrays(columns, schema=header.schema())
