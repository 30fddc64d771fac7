"""COCO's JSON files as columns, in one pass over their bytes.

Known are results files (an array with one object a detection) and annotation files (an object with
an array ``annotations``). Records may hold their fields in any order:

=================  =============================================================================
``image_id``,      an integer of 64 bits; ``42.0`` is one
``category_id``
``score``          of a result: a number, NaN and the infinities included
``bbox``           four finite numbers
``keypoints``      finite numbers
``segmentation``   RLE (``size`` of two integers, ``counts`` a string or an array of integers), or
                   an array of polygons, each an array of finite numbers
``id``             of an annotation: an integer
``area``           of an annotation: a finite number
``iscrowd``,       of an annotation: an integer or a boolean
``ignore``
``num_keypoints``  of an annotation: an integer
=================  =============================================================================

Any of them may be missing; null and an empty array count as missing. Further fields of results are
kept as text, those of annotations are skipped.

A file that holds anything else is not taken: the functions return ``None`` for it, and for whatever
else they are not sure of, so that Python's ``json`` can have the last word on it. What is taken has
the values that ``json`` reads, to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.dispatch import native, tally

PADDING = 64
"""Bytes that a buffer must have beyond the file's; they are written to."""

NONE, COUNTS, RUNS, POLYGONS = range(4)
"""What a record's segmentation is: missing, RLE with a string, RLE with run lengths, polygons."""


class Field(NamedTuple):
    """A field of N records.

    Attributes:
        values: (N,) or, for boxes, (N, 4); zero where the field is missing.
        present: (N,) bool.
    """

    values: NDArray[Any]
    present: NDArray[np.bool_]


class Lists(NamedTuple):
    """Lists of N records, one after the other.

    Attributes:
        items: (V,), those of all records.
        lengths: (N,) int32, how many each record has.
    """

    items: NDArray[Any]
    lengths: NDArray[np.int32]


class Segmentations(NamedTuple):
    """The segmentations of N records.

    Attributes:
        shape: (N,) uint8, one of ``NONE``, ``COUNTS``, ``RUNS`` and ``POLYGONS``.
        size: (N, 2) int64, height and width; zeros where the segmentation is not RLE.
        counts: (N, 2) int64, where in the buffer the text of a ``COUNTS`` lies: its first byte and
            how many, backslashes escaped; ``gather_counts`` reads them.
        runs: int64 run lengths of ``RUNS``.
        polygons: how many coordinates each polygon has, int32.
        points: (V,) float64, the coordinates of all polygons.
    """

    shape: NDArray[np.uint8]
    size: NDArray[np.int64]
    counts: NDArray[np.int64]
    runs: Lists
    polygons: Lists
    points: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Results:
    """The records of a results file.

    Attributes:
        count: N, how many there are.
        image_id, category_id: int64.
        score, bbox: float64.
        keypoints: float64.
        extra: the text of a JSON object of a record's further fields, UTF-8; empty: it has none.
    """

    count: int
    image_id: Field
    category_id: Field
    score: Field
    bbox: Field
    keypoints: Lists
    segmentations: Segmentations
    extra: Lists


@dataclass(frozen=True, slots=True)
class Annotations:
    """The records of an annotation file, and where the rest of it lies.

    Attributes:
        count: N, how many annotations there are.
        id, image_id, category_id, num_keypoints: int64.
        area, bbox: float64.
        iscrowd, ignore: int64, a boolean being 0 or 1.
        keypoints: float64.
        images, categories: the JSON text of these values, empty where the file has none.
    """

    count: int
    id: Field
    image_id: Field
    category_id: Field
    bbox: Field
    area: Field
    iscrowd: Field
    ignore: Field
    num_keypoints: Field
    keypoints: Lists
    segmentations: Segmentations
    images: bytes
    categories: bytes


def scan_results(buffer: NDArray[np.uint8], size: int, threads: int = 1) -> Results | None:
    """The columns of a results file, or ``None``: see the module.

    Args:
        buffer: (at least ``size + PADDING``,), the file's bytes at its beginning.
        size: bytes of the file.
        threads: how many may share the work; the result does not depend on it.
    """
    found = _serving("scan_results").scan_results(buffer, size, threads)
    if found is None:
        return None
    count = found["count"]
    return Results(
        count=count,
        image_id=_field(found, "image_id", np.int64),
        category_id=_field(found, "category_id", np.int64),
        score=_field(found, "score", np.float64),
        bbox=_field(found, "bbox", np.float64, 4),
        keypoints=_lists(found, "keypoints", "keypoint_numbers"),
        segmentations=_segmentations(found),
        extra=_lists(found, "extra", "extra_numbers"),
    )


def scan_annotations(buffer: NDArray[np.uint8], size: int, threads: int = 1) -> Annotations | None:
    """The columns of an annotation file, or ``None``: as ``scan_results``."""
    found = _serving("scan_annotations").scan_annotations(buffer, size, threads)
    if found is None:
        return None
    return Annotations(
        count=found["count"],
        **{
            name: _field(found, name, np.int64)
            for name in ("id", "image_id", "category_id", "iscrowd", "ignore", "num_keypoints")
        },
        bbox=_field(found, "bbox", np.float64, 4),
        area=_field(found, "area", np.float64),
        keypoints=_lists(found, "keypoints", "keypoint_numbers"),
        segmentations=_segmentations(found),
        images=found["images"],
        categories=found["categories"],
    )


def gather_counts(
    buffer: NDArray[np.uint8], segmentations: Segmentations
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The compressed counts of the records, which are moved together within the buffer.

    The buffer holds nothing else afterwards: no other text of the file can be had from it.

    Returns:
        The bytes, which are the buffer's own, and (N + 1,) offsets: those of record ``i`` are
        ``data[offsets[i] : offsets[i + 1]]``, empty where it has none.
    """
    rows = np.flatnonzero(segmentations.shape == COUNTS)
    spans = np.ascontiguousarray(segmentations.counts[rows])
    ends = _serving("gather_counts").gather(buffer, spans)
    lengths = np.zeros(len(segmentations.shape), np.int64)
    lengths[rows] = np.diff(ends, prepend=0)
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return buffer[: int(offsets[-1])], offsets


class _Kernels(Protocol):
    """What the reference module and the extension both offer."""

    def scan_results(
        self, buffer: NDArray[np.uint8], size: int, threads: int
    ) -> dict[str, Any] | None: ...
    def scan_annotations(
        self, buffer: NDArray[np.uint8], size: int, threads: int
    ) -> dict[str, Any] | None: ...
    def gather(self, buffer: NDArray[np.uint8], spans: NDArray[np.int64]) -> NDArray[np.int64]: ...


def _serving(operator: str) -> _Kernels:
    extension = native()
    if extension is None:
        from benchsuite_kernels.columns import coco_json_reference

        tally(operator, "reference")
        return coco_json_reference
    tally(operator, "c++")
    kernels: _Kernels = extension.coco_json
    return kernels


def _field(
    found: Mapping[str, Any], name: str, dtype: type[np.generic], width: int | None = None
) -> Field:
    values, present = found[name]
    if values is None:
        count = found["count"]
        values = np.zeros(count if width is None else (count, width), dtype)
        present = np.zeros(count, np.uint8)
    return Field(values, present.view(np.bool_))


def _lists(found: Mapping[str, Any], items: str, lengths: str) -> Lists:
    return Lists(found[items], _filled(found, lengths, np.int32))


def _segmentations(found: Mapping[str, Any]) -> Segmentations:
    return Segmentations(
        shape=_filled(found, "shape", np.uint8),
        size=_filled(found, "size", np.int64, 2),
        counts=_filled(found, "counts", np.int64, 2),
        runs=_lists(found, "runs", "run_numbers"),
        polygons=_lists(found, "point_numbers", "polygon_numbers"),
        points=found["points"],
    )


def _filled(
    found: Mapping[str, Any], name: str, dtype: type[np.generic], width: int | None = None
) -> NDArray[Any]:
    """The column, zeros where no record has it."""
    column: NDArray[Any] | None = found[name]
    if column is None:
        count = found["count"]
        return np.zeros(count if width is None else (count, width), dtype)
    return column
