"""VOC's matching: a detection has a chance at one truth alone, that which it overlaps most.

If the overlap reaches the threshold, the detection is right if it is the truth's first by score; a
further one is wrong. If the truth is difficult, it is neither.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy, is_present, to_numpy
from benchsuite.errors import InputError
from benchsuite.protocols import Predictions, Truth
from benchsuite_plugins.metrics.voc.options import Convention, Interpolation
from benchsuite_plugins.metrics.voc.overlaps import best_truths
from benchsuite_plugins.metrics.voc.table import VocHeader
from benchsuite_plugins.metrics.voc.written_numbers import decimals, plus_one

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

_ELEVEN_POINT = {"VOC2007", "VOC2008", "VOC2009"}


def interpolation_of(truth: Truth) -> Interpolation:
    """That of the challenge which every image is of; ``every-point`` where they are of none."""
    attributes = truth.images["attributes"]
    if attributes.null_count or not len(attributes):
        return "every-point"
    stated = {_challenge(text) for text in set(attributes.to_pylist())}
    return "11-point" if stated <= _ELEVEN_POINT else "every-point"


def _challenge(attributes: str) -> str:
    found = json.loads(attributes)
    return str(found.get("challenge", "")) if isinstance(found, dict) else ""


def match(
    truth: Truth, predictions: Predictions, header: VocHeader, convention: Convention
) -> pa.Table:
    """The match table of the images that have a row in ``predictions.images``.

    Raises:
        InputError: a row of either side has no box, or its image or category is not known.
    """
    images = np.unique(to_numpy(predictions.images["image_id"]))
    _check_images(truth, predictions, images)
    truths = truth.instances
    kept = np.isin(to_numpy(truths["image_id"]), images)
    if not kept.all():
        truths = truths.filter(from_numpy(kept))
    detections = predictions.instances
    places = to_numpy(detections["prediction"])
    if (np.diff(places) < 0).any():
        detections = detections.take(from_numpy(np.argsort(places, kind="stable")))
    truth_groups = _groups(truths, images, header, truth.source, "annotation_id")
    groups = _groups(detections, images, header, predictions.source, "prediction")
    scores = to_numpy(detections["score"])
    boxes = _edges(detections, predictions.source, "prediction")
    if convention == "detectron2":
        scores, boxes = decimals(scores, 3), _written_edges(detections)
    best = best_truths(boxes, groups, _edges(truths, truth.source, "annotation_id"), truth_groups)

    # By descending score in each group, the earlier in the file first among equals.
    order = np.lexsort((-scores, groups))
    ascending = groups[order]
    starts = np.flatnonzero(np.diff(ascending, prepend=-1))
    sizes = np.diff(np.append(starts, len(order)))
    ranks = np.arange(len(order)) - np.repeat(starts, sizes)
    difficult = to_numpy(truths["difficult"]) | to_numpy(truths["iscrowd"])
    matched, ignored, found = _outcomes(
        best.overlaps[order], best.truths[order], ranks, difficult, header, convention
    )
    every_bit = (1 << len(header.iou_thresholds)) - 1
    detection_rows = _rows(
        detections.take(from_numpy(order)), "prediction", header, matched, ignored, ranks,
        scores[order],
    )  # fmt: skip
    truth_ignored = np.where(difficult, every_bit, 0).astype(header.bits)
    truth_rows = _rows(truths, "annotation_id", header, found, truth_ignored)
    return pa.concat_tables([detection_rows, truth_rows])


def _outcomes(
    overlaps: _Floats,
    best: _Ints,
    ranks: _Ints,
    difficult: NDArray[np.bool_],
    header: VocHeader,
    convention: Convention,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Bits of the detections that are matched, of those ignored, and of truths that are found.

    Args:
        overlaps, best, ranks: (N,) of the detections: best overlap, its truth, place by score.
        difficult: (G,) of the truths.
    """
    bits = header.bits
    matched, ignored = np.zeros((2, len(best)), bits)
    found = np.zeros(len(difficult), bits)
    exceeds = np.greater if convention == "detectron2" else np.greater_equal
    for place, threshold in enumerate(header.iou_thresholds):
        bit = bits.type(1 << place)
        rows = np.flatnonzero(exceeds(overlaps, threshold))
        truths = best[rows]
        first = np.full(len(difficult), np.iinfo(np.int64).max)
        np.minimum.at(first, truths, ranks[rows])
        is_difficult = difficult[truths]
        right = is_difficult | (ranks[rows] == first[truths])
        matched[rows[right]] |= bit
        ignored[rows[is_difficult]] |= bit
        found[truths] |= bit
    return matched, ignored, found


def _check_images(truth: Truth, predictions: Predictions, images: _Ints) -> None:
    unknown = images[~np.isin(images, to_numpy(truth.images["image_id"]))]
    if len(unknown):
        raise InputError(
            f"image_id {unknown[0]} is not among the images of {truth.source or 'the dataset'}",
            file=predictions.source or None,
        )


def _groups(table: pa.Table, images: _Ints, header: VocHeader, source: str, name: str) -> _Ints:
    """(N,) a number for each image and category."""
    places = []
    for column, known in (("category_id", np.array(header.category_ids)), ("image_id", images)):
        ids = to_numpy(table[column])
        unknown = np.flatnonzero(~np.isin(ids, known))
        if len(unknown):
            row = int(unknown[0])
            raise _error(
                table, row, source, name, f"{column} {ids[row]} is not among those evaluated"
            )
        places.append(np.searchsorted(known, ids))
    return np.asarray(places[0] * len(images) + places[1], np.int64)


def _edges(table: pa.Table, source: str, name: str) -> _Floats:
    """(N, 4) ``xmin, ymin, xmax, ymax`` counted from 1."""
    missing = np.flatnonzero(~is_present(table["bbox"]))
    if len(missing):
        raise _error(table, int(missing[0]), source, name, "bbox is missing")
    boxes = to_numpy(table["bbox"])
    return np.column_stack([boxes[:, :2] + 1, boxes[:, :2] + boxes[:, 2:]])


def _written_edges(table: pa.Table) -> _Floats:
    """(N, 4) as ``_edges``, as Detectron2's files hold them."""
    boxes = to_numpy(table["bbox"])
    low, high = plus_one(boxes[:, :2]), boxes[:, :2] + boxes[:, 2:]
    return decimals(np.column_stack([low, high]), 1)


def _error(table: pa.Table, row: int, source: str, name: str, problem: str) -> InputError:
    identity = table[name][row].as_py()
    record = f"annotation id {identity}" if name == "annotation_id" else f"detections[{identity}]"
    return InputError(problem, file=source or None, record=record)


def _rows(
    table: pa.Table,
    name: str,
    header: VocHeader,
    matched: NDArray[Any],
    ignored: NDArray[Any],
    ranks: _Ints | None = None,
    scores: _Floats | None = None,
) -> pa.Table:
    """One side's rows of the match table; only detections have ranks and scores."""
    count = len(table)
    columns = {
        "image_id": table["image_id"],
        "category_id": table["category_id"],
        "is_truth": from_numpy(np.full(count, ranks is None)),
        "source_id": table[name],
        "rank": pa.nulls(count, pa.int32())
        if ranks is None
        else from_numpy(ranks.astype(np.int32)),
        "score": pa.nulls(count, pa.float64()) if scores is None else from_numpy(scores),
        "matched_all": from_numpy(matched),
        "ignored_all": from_numpy(ignored),
    }
    return pa.table(columns, schema=header.schema())
