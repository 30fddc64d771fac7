"""The detections and truths of a match table at one IoU threshold, as analyses look at them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import to_numpy
from benchsuite.errors import UsageError
from benchsuite_plugins.metrics.match_table import MatchHeader

_Rows = NDArray[np.int64]
_Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CountedDetections:
    """The detections of a match table at one IoU threshold, in all areas.

    Attributes:
        images, categories, sources: (D,) int64 ids.
        scores: (D,) float64.
        ranks: (D,) int32.
        true_positive: (D,) bool.
        ignored: (D,) bool, neither right nor wrong.
    """

    images: _Rows
    categories: _Rows
    sources: _Rows
    scores: NDArray[np.float64]
    ranks: NDArray[np.int32]
    true_positive: _Flags
    ignored: _Flags


@dataclass(frozen=True, slots=True)
class WantedTruths:
    """The truths of a match table that are to be found.

    Attributes:
        images, categories, sources: (G,) int64 ids.
        found: (G,) bool.
    """

    images: _Rows
    categories: _Rows
    sources: _Rows
    found: _Flags


def read_matches(
    matches: pa.Table, header: MatchHeader, iou: float
) -> tuple[CountedDetections, WantedTruths]:
    """Both sides of a match table at one of its IoU thresholds, in all areas.

    Raises:
        UsageError: it has no such threshold, or no range of all areas.
    """
    protocol = header.protocol
    places = [t for t, each in enumerate(protocol.iou_thresholds) if abs(each - iou) < 1e-9]
    if not places or "all" not in protocol.areas:
        raise UsageError(
            f"nothing was matched in all areas at an IoU of {iou}, but in "
            f"{', '.join(protocol.areas)} at {', '.join(f'{t:g}' for t in protocol.iou_thresholds)}"
        )
    bit = header.bits.type(1 << places[0])
    matched, ignored = (
        (to_numpy(matches[f"{name}_all"]) & bit) != 0 for name in ("matched", "ignored")
    )
    is_truth = to_numpy(matches["is_truth"])
    columns = [to_numpy(matches[name]) for name in ("image_id", "category_id", "source_id")]
    wanted, counted = is_truth & ~ignored, ~is_truth
    detections = CountedDetections(
        *(column[counted] for column in columns),
        scores=to_numpy(matches["score"])[counted],
        ranks=to_numpy(matches["rank"])[counted],
        true_positive=(matched & ~ignored)[counted],
        ignored=ignored[counted],
    )
    return detections, WantedTruths(*(column[wanted] for column in columns), found=matched[wanted])


def known_pairs(
    overlaps: pa.Table, detections: CountedDetections, truths: WantedTruths
) -> tuple[_Rows, _Rows, NDArray[np.float64]]:
    """The pairs of an overlap table of which both are known.

    Returns:
        (P,) places of detections, (P,) places of truths, (P,) float64 overlaps.
    """
    images = to_numpy(overlaps["image_id"])
    rows = _locate(images, to_numpy(overlaps["prediction"]), detections.images, detections.sources)
    named = _locate(images, to_numpy(overlaps["annotation_id"]), truths.images, truths.sources)
    both = (rows >= 0) & (named >= 0)
    return rows[both], named[both], to_numpy(overlaps["iou"])[both]


def _locate(images: _Rows, names: _Rows, known_images: _Rows, known_names: _Rows) -> _Rows:
    """(N,) the place of each image and name among (M,) known ones, each there once; -1: nowhere."""
    if not len(known_names):
        return np.full(len(names), -1, np.int64)
    every_image, image_of = np.unique(known_images, return_inverse=True)
    every_name, name_of = np.unique(known_names, return_inverse=True)
    keys = image_of * len(every_name) + name_of
    order = np.argsort(keys)
    at_image = np.minimum(np.searchsorted(every_image, images), len(every_image) - 1)
    at_name = np.minimum(np.searchsorted(every_name, names), len(every_name) - 1)
    wanted = at_image * len(every_name) + at_name
    places = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    rows = order[places]
    there = (known_images[rows] == images) & (known_names[rows] == names)
    return np.where(there, rows, -1)
