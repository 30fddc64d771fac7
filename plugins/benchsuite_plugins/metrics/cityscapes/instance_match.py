"""Matching predicted instances to Cityscapes' truth, as ``evalInstanceLevelSemanticLabeling`` does.

* Truth is the regions of the instance map. A region of a label with instances whose number is below
  1000 is a group.
* A match is a prediction and a region of its label whose intersection over union exceeds the
  threshold. Thresholds are 0.5 and more and regions do not overlap: a prediction has one match at
  most. Of several predictions that match one object the best is a true positive, the others are
  false ones.
* A prediction that matches a group, or an object of fewer than 100 pixels, counts for nothing.
* One that matches nothing is a false positive, unless more of its pixels than the threshold's share
  lie on void, on groups of its label or on small regions of its label. What lies on a small group
  is counted twice, as there.
* A prediction without a pixel is not there, nor is one of a label that is not scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy
from benchsuite.protocols import Predictions, Truth
from benchsuite_kernels.columns import instance_maps, rle
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.datasets.cityscapes.labels import INSTANCE_FACTOR, LABELS, WITH_INSTANCES
from benchsuite_plugins.metrics.cityscapes.instance_detections import Detections, detection_error
from benchsuite_plugins.metrics.cityscapes.instance_table import (
    EVERY_BIT,
    SMALLEST_OBJECT,
    InstanceHeader,
)
from benchsuite_plugins.metrics.cityscapes.scored_images import scored_images
from benchsuite_plugins.metrics.cityscapes.truth_maps import MapColumn

_Ints = NDArray[np.int64]

_VOID = np.array([label.id for label in LABELS if label.ignored], np.int64)
_SCORED = np.array([label.id for label in WITH_INSTANCES], np.int64)
_NUMBERS = 1 << 16
"""How many numbers an instance map can hold."""


def match(truth: Truth, predictions: Predictions, header: InstanceHeader) -> pa.Table:
    """The match table of the images that have a row in ``predictions.images``.

    Raises:
        InputError: a prediction cannot be scored (see ``Detections.of``), or an image has no
            instance map, or one that cannot be read or holds a number of no label.
    """
    images, _ = scored_images(truth, predictions)
    detections = Detections.of(predictions, images)
    regions, overlaps = _count(detections, MapColumn.of(images, "instance", truth.source))
    matched_regions, matched, ignored = _matches(regions, overlaps, detections, header)
    there = np.flatnonzero(overlaps.pixels > 0)
    image_of = np.repeat(detections.image_ids, np.diff(detections.starts))
    columns = {
        "image_id": (image_of[there], detections.image_ids[regions.images]),
        "category_id": (detections.labels[there], regions.labels),
        "is_truth": (np.zeros(len(there), np.bool_), np.ones(len(regions.labels), np.bool_)),
        "source_id": (detections.sources[there], regions.values),
        "score": (detections.scores[there], np.zeros(len(regions.labels))),
        "matched": (matched[there], matched_regions),
        "ignored": (ignored[there], np.where(regions.counted, 0, EVERY_BIT).astype(np.uint16)),
    }
    arrays = {name: np.concatenate(parts) for name, parts in columns.items()}
    return pa.Table.from_arrays(
        [
            from_numpy(array, ~arrays["is_truth"] if name == "score" else None)
            for name, array in arrays.items()
        ],
        schema=header.schema(),
    )


@dataclass(frozen=True, slots=True)
class _Regions:
    """The regions of labels that are scored, by image, then number.

    Attributes:
        images: (G,) places of their images.
        values, labels, areas: (G,) int64; areas are pixels.
    """

    images: _Ints
    values: _Ints
    labels: _Ints
    areas: _Ints

    @property
    def groups(self) -> NDArray[np.bool_]:
        return self.values < INSTANCE_FACTOR

    @property
    def small(self) -> NDArray[np.bool_]:
        return self.areas < SMALLEST_OBJECT

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Which are to be found."""
        return ~(self.groups | self.small)


@dataclass(frozen=True, slots=True)
class _Overlaps:
    """What predictions lie on.

    Attributes:
        pixels, void: (D,) int64, pixels of each prediction, and those of them that are void.
        detections, regions: (P,) int64, rows of predictions and regions of the same label that have
            a pixel in common.
        common: (P,) int64, how many.
    """

    pixels: _Ints
    void: _Ints
    detections: _Ints
    regions: _Ints
    common: _Ints


def _labels_of(values: _Ints) -> _Ints:
    return np.where(values < INSTANCE_FACTOR, values, values // INSTANCE_FACTOR)


def _count(detections: Detections, maps: MapColumn) -> tuple[_Regions, _Overlaps]:
    """Reads every instance map once and counts what the predictions cover of it."""

    def count(row: int) -> instance_maps.Overlaps:
        return _count_image(detections, maps, row)

    with ThreadPoolExecutor(evaluation_threads()) as workers:
        found = list(workers.map(count, range(len(maps))))
    whole = [slice(0, each.starts[1]) for each in found]
    image_of = np.repeat(np.arange(len(found)), [each.starts[1] for each in found])
    values = _joined([each.values[rows] for each, rows in zip(found, whole)])
    areas = _joined([each.pixels[rows] for each, rows in zip(found, whole)])
    labels = _labels_of(values)
    kept = np.isin(labels, _SCORED)
    regions = _Regions(image_of[kept], values[kept], labels[kept], areas[kept])

    rest = [slice(each.starts[1], None) for each in found]
    below = _joined([each.values[rows] for each, rows in zip(found, rest)])
    common = _joined([each.pixels[rows] for each, rows in zip(found, rest)])
    lengths = _joined([np.diff(each.starts[1:]) for each in found])
    covering = np.repeat(np.arange(len(lengths)), lengths)
    image_of_row = np.repeat(np.arange(len(found)), np.diff(detections.starts))
    pixels, void = np.zeros((2, len(lengths)), np.int64)
    np.add.at(pixels, covering, common)
    on_void = np.isin(below, _VOID)
    np.add.at(void, covering[on_void], common[on_void])
    pairs = np.flatnonzero(_labels_of(below) == detections.labels[covering])
    places = np.searchsorted(
        regions.images * _NUMBERS + regions.values,
        image_of_row[covering[pairs]] * _NUMBERS + below[pairs],
    )
    return regions, _Overlaps(pixels, void, covering[pairs], places, common[pairs])


def _count_image(detections: Detections, maps: MapColumn, row: int) -> instance_maps.Overlaps:
    """The numbers of an image's map, as those below a first mask that covers it, then those below
    each prediction."""
    numbers = maps.read(row).astype(np.uint16)
    covers_all = rle.from_runs([0, numbers.size], numbers.shape)
    first, last = detections.starts[row], detections.starts[row + 1]
    begin, end = detections.offsets[first], detections.offsets[last]
    counts = np.concatenate([np.frombuffer(covers_all, np.uint8), detections.counts[begin:end]])
    offsets = detections.offsets[first : last + 1] - begin + len(covers_all)
    try:
        found = instance_maps.overlaps(numbers, counts, np.concatenate([[0], offsets]))
    except ValueError:
        for place in range(first, last):
            try:
                rle.validate(detections.rle(place).tobytes(), numbers.shape)
            except ValueError as error:
                raise detection_error(
                    detections.source, detections.sources[place], f"segmentation: {error}"
                ) from None
        raise
    unknown = _labels_of(found.values[: found.starts[1]]) >= len(LABELS)
    if unknown.any():
        number = found.values[unknown.argmax()]
        raise maps.error(row, f"its instance map holds {number}, which is a number of no label")
    return found


def _joined(parts: Sequence[_Ints]) -> _Ints:
    return np.concatenate([np.zeros(0, np.int64), *parts])


def _matches(
    regions: _Regions, overlaps: _Overlaps, detections: Detections, header: InstanceHeader
) -> tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint16]]:
    """Bits of matched regions (G,), matched predictions (D,) and ignored predictions (D,)."""
    # Of the predictions that match an object the first by score is its own.
    order = np.lexsort(
        (overlaps.detections, -detections.scores[overlaps.detections], overlaps.regions)
    )
    of, region, common = (
        column[order] for column in (overlaps.detections, overlaps.regions, overlaps.common)
    )
    union = regions.areas[region] + overlaps.pixels[of] - common
    iou = common / union
    excused = overlaps.void.copy()
    for unscored in (regions.groups, regions.small):
        np.add.at(excused, of[unscored[region]], common[unscored[region]])
    share = excused / np.maximum(overlaps.pixels, 1)

    counted = regions.counted
    matched_regions = np.zeros(len(regions.values), np.uint16)
    matched, ignored = np.zeros((2, len(detections.labels)), np.uint16)
    for bit, threshold in enumerate(header.overlaps):
        flag = np.uint16(1 << bit)
        hits = np.flatnonzero(iou > threshold)
        on_object = counted[region[hits]]
        found, first = np.unique(region[hits[on_object]], return_index=True)
        matched_regions[found] |= flag
        matched[of[hits[on_object][first]]] |= flag
        ignored[of[hits[~on_object]]] |= flag
        lost = np.ones(len(matched), np.bool_)
        lost[of[hits]] = False
        ignored[lost & (share > threshold)] |= flag
    return matched_regions, matched, ignored
