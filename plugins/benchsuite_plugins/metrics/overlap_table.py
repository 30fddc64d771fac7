"""Which detections and truths of a match table overlap, whatever their categories.

What analyses of mistakes go by, beside the match table itself. One row for each pair of a detection
that counts and a truth that is to be found, of one image, whose overlap is at least the header's
``least``. Tables of different images can be concatenated in any order.

Columns:

* ``image_id``: int64.
* ``prediction``: int64, the match table's ``source_id`` of the detection.
* ``annotation_id``: int64, the match table's ``source_id`` of the truth.
* ``iou``: float64, IoU of their boxes or masks.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy, to_numpy
from benchsuite.errors import ContractError
from benchsuite.protocols import Predictions, Truth
from benchsuite_kernels.columns.overlapping_pairs import overlapping_pairs
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.metrics.detection_areas import deciding_field
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.scored_shapes import FIELDS, Side
from benchsuite_plugins.metrics.shape_overlaps import shape_overlaps

_KEY = b"benchsuite.overlaps"
_FIELDS: list[pa.Field[Any]] = [
    pa.field("image_id", pa.int64(), nullable=False),
    pa.field("prediction", pa.int64(), nullable=False),
    pa.field("annotation_id", pa.int64(), nullable=False),
    pa.field("iou", pa.float64(), nullable=False),
]

LEAST = 0.1
"""Overlap below which a detection is of the background, by TIDE."""


@dataclass(frozen=True, slots=True)
class OverlapHeader:
    """What is common to all rows of an overlap table.

    Attributes:
        task: what overlaps: ``bbox`` or ``segm``.
        least: the least overlap of a pair.
    """

    task: str
    least: float

    def schema(self) -> pa.Schema:
        """The table's schema, with this header in its metadata."""
        return pa.schema(_FIELDS, metadata={_KEY: json.dumps(asdict(self))})

    @classmethod
    def of(cls, overlaps: pa.Table) -> OverlapHeader:
        """The header of an overlap table. Raises ``ContractError`` if it has none."""
        metadata = overlaps.schema.metadata or {}
        if _KEY not in metadata:
            raise ContractError("the table is no overlap table: its schema has no header")
        return cls(**json.loads(metadata[_KEY]))


def overlap_table(
    truth: Truth, predictions: Predictions, matches: pa.Table, *, least: float = LEAST
) -> pa.Table:
    """The overlap table that goes with a match table.

    Args:
        truth, predictions: what the match table was made of.
        matches: whose detections and truths are compared. Truths that are ignored in every area
            are left out.
        least: the least overlap of a pair, above 0.

    Raises:
        ContractError: the match table is not of boxes or masks, or was made of something else.
    """
    header = MatchHeader.of(matches)
    task = header.protocol.task
    if task not in ("bbox", "segm"):
        raise ContractError(f"an overlap table is of bbox or segm, not of {task}")
    is_truth = to_numpy(matches["is_truth"])
    sources = to_numpy(matches["source_id"])
    ignored = to_numpy(matches[f"ignored_{header.protocol.areas[0]}"]) != 0
    everything = Side.detections(predictions.instances, predictions.source).in_file_order()
    field = deciding_field(everything) if len(everything) else "bbox"
    shape = FIELDS[task]
    detections = _rows(everything, ["image_id", "bbox", shape, field], sources[~is_truth])
    truths = _rows(
        Side.truths(truth.instances, truth.source),
        ["image_id", shape],
        sources[is_truth & ~ignored],
    )
    detection_images, truth_images = detections.column("image_id"), truths.column("image_id")
    pairs = overlapping_pairs(
        detection_images,
        truth_images,
        shape_overlaps(task, detections, truths, field),
        least=least,
        threads=evaluation_threads(),
    )
    rows = np.repeat(np.arange(len(detections)), np.diff(pairs.starts))
    columns = [
        from_numpy(detection_images[rows]),
        from_numpy(detections.column("prediction")[rows]),
        from_numpy(truths.column("annotation_id")[pairs.truths]),
        from_numpy(pairs.values),
    ]
    return pa.Table.from_arrays(columns, schema=OverlapHeader(task, least).schema())


def _rows(side: Side, columns: list[str], names: NDArray[np.int64]) -> Side:
    """The rows of those names, by ascending name, of those columns alone."""
    known = side.column(side.id_column)
    order = np.argsort(known, kind="stable")
    wanted = np.sort(names)
    places = np.minimum(np.searchsorted(known, wanted, sorter=order), max(len(known) - 1, 0))
    rows = order[places] if len(known) else places
    if len(wanted) and (not len(known) or (known[rows] != wanted).any()):
        raise ContractError("the match table was made of other truth or predictions")
    return side.select(columns).take(rows)
