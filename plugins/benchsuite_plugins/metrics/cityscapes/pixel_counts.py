"""Counting the pixels of Cityscapes' maps, as ``evalPixelLevelSemanticLabeling`` does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy
from benchsuite.protocols import Predictions, Truth
from benchsuite_kernels.columns.label_maps import MapError, PairCounts, count_pairs_of_each
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.datasets.cityscapes.labels import INSTANCE_FACTOR, LABELS
from benchsuite_plugins.metrics.cityscapes.pixel_table import NO_MAP, PixelHeader
from benchsuite_plugins.metrics.cityscapes.scored_images import scored_images
from benchsuite_plugins.metrics.cityscapes.truth_maps import MapColumn

_Ints = NDArray[np.int64]

_IGNORED = np.array([label.ignored for label in LABELS])
_HAS_INSTANCES = np.array([label.has_instances for label in LABELS])


def match(truth: Truth, predictions: Predictions, header: PixelHeader) -> pa.Table:
    """The table of counted pixels of the images that have a row in ``predictions.images``.

    Objects are the numbers above 1000 of the instance maps; those of ignored labels do not count.

    Raises:
        InputError: an image lacks a label map on either side, a map cannot be read, is of another
            size than the truth's, or holds a number that stands for no label.
    """
    of_truth, of_predictions = scored_images(truth, predictions)
    predicted = MapColumn.of(of_predictions, "semantic", predictions.source)
    labels = MapColumn.of(of_truth, "semantic", truth.source)
    instances = MapColumn.of(of_truth, "instance", truth.source)
    ids = np.array(predicted.image_ids, np.int64)

    mapped = instances.present
    instances = instances.take(mapped)
    if mapped.all():
        counted, found = _count((labels, instances), predicted)
    else:
        (counted,) = _count((labels,), predicted)
        (found,) = _count((instances,), predicted.take(mapped))
    for maps, numbers in ((labels, counted.truths), (predicted, counted.predictions)):
        _refuse(maps, counted, numbers, numbers >= len(LABELS), "which is no label id")
    of_labels = _columns(ids, False, counted)
    kept = _of_objects(instances, found)
    of_objects = [column[kept] for column in _columns(ids[mapped], True, found)]

    unmapped = ids[~mapped]
    nothing = np.zeros(len(unmapped), np.int64)
    without = [unmapped, nothing == 0, nothing + NO_MAP, nothing, nothing]
    return pa.Table.from_arrays(
        [from_numpy(np.concatenate(parts)) for parts in zip(of_labels, of_objects, without)],
        schema=header.schema(),
    )


def _columns(ids: _Ints, is_instance: bool, counted: PairCounts) -> list[NDArray[Any]]:
    """The table's columns, of numbers counted on images of these ids."""
    kind = np.full(len(counted.pixels), is_instance)
    return [ids[counted.images], kind, counted.truths, counted.predictions, counted.pixels]


def _count(truths: tuple[MapColumn, ...], predicted: MapColumn) -> list[PairCounts]:
    """The pairs of each kind of truth and the prediction."""
    try:
        return count_pairs_of_each(
            [maps.map_sources() for maps in truths],
            predicted.map_sources(),
            truth_forms=["grey"] * len(truths),
            prediction_form="grey",
            threads=evaluation_threads(),
        )
    except MapError as error:
        maps = truths[error.kind] if error.side == "truth" else predicted
        raise maps.error(error.item, f"its {maps.kind} map {error.problem}") from None


def _of_objects(instances: MapColumn, found: PairCounts) -> _Ints:
    """Rows that are of objects whose label is evaluated."""
    labels = found.truths // INSTANCE_FACTOR
    objects = found.truths > INSTANCE_FACTOR
    why = "which is no object of a label with instances"
    _refuse(instances, found, found.truths, objects & (labels >= len(LABELS)), why)
    rows: _Ints = np.flatnonzero(objects)
    rows = rows[~_IGNORED[labels[rows]]]
    strange = np.zeros(len(labels), np.bool_)
    strange[rows] = ~_HAS_INSTANCES[labels[rows]]
    _refuse(instances, found, found.truths, strange, why)
    return rows


def _refuse(
    maps: MapColumn,
    counted: PairCounts,
    numbers: _Ints,
    wrong: NDArray[np.bool_],
    why: str,
) -> None:
    """Raises ``InputError`` for the first number that is wrong."""
    if wrong.any():
        row = int(wrong.argmax())
        image = int(counted.images[row])
        raise maps.error(image, f"its {maps.kind} map holds {numbers[row]}, {why}")
