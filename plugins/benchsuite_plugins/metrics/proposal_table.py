"""The table of how well proposals cover truths: all that their average recall is computed from.

One row for each truth that is no crowd. Tables of different images can be concatenated in any
order; what is common to all is in the schema's metadata.

Columns:

* ``image_id``: int64.
* ``annotation_id``: int64.
* for each area range and number of proposals ``iou_<area>_<limit>``: float32, the IoU that the
  truth is covered with, 0 where no proposal is left for it; null where it does not count: its area
  lies outside of the range, or its image has no proposals at all.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy, is_present, to_numpy
from benchsuite.errors import ContractError, InputError
from benchsuite.protocols import Predictions, Truth
from benchsuite_kernels.columns.match_groups import match_groups
from benchsuite_kernels.columns.proposal_coverage import proposal_coverage
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.metrics.coco_protocol import AREAS
from benchsuite_plugins.metrics.scored_shapes import Side

_KEY = b"benchsuite.proposals"


@dataclass(frozen=True, slots=True)
class ProposalHeader:
    """What is common to all rows of the table.

    Attributes:
        limits: how many proposals of an image count.
        evaluator: what made it, with its version.
        areas: labels of the area ranges, see ``coco_protocol.AREAS``.
    """

    limits: tuple[int, ...]
    evaluator: str
    areas: tuple[str, ...] = tuple(AREAS)

    def schema(self) -> pa.Schema:
        """The table's schema, with this header in its metadata."""
        fields: list[pa.Field[Any]] = [
            pa.field("image_id", pa.int64(), nullable=False),
            pa.field("annotation_id", pa.int64(), nullable=False),
        ]
        for limit in self.limits:
            fields += [pa.field(f"iou_{area}_{limit}", pa.float32()) for area in self.areas]
        return pa.schema(fields, metadata={_KEY: json.dumps(asdict(self))})

    @classmethod
    def of(cls, matches: pa.Table) -> ProposalHeader:
        """The header of a table. Raises ``ContractError`` if it has none."""
        metadata = matches.schema.metadata or {}
        if _KEY not in metadata:
            raise ContractError("the table is no table of proposals: its schema has no header")
        stored = json.loads(metadata[_KEY])
        return cls(tuple(stored["limits"]), stored["evaluator"], tuple(stored["areas"]))


def match(truth: Truth, predictions: Predictions, header: ProposalHeader) -> pa.Table:
    """The table of the images that have a row in ``predictions.images``.

    Raises:
        InputError: an image is unknown, a proposal is of one that was not run, or a row of either
            side has no box.
    """
    image_ids = np.unique(to_numpy(predictions.images["image_id"]))
    unknown = image_ids[~np.isin(image_ids, to_numpy(truth.images["image_id"]))]
    if len(unknown):
        raise InputError(
            f"image_id {unknown[0]} is not among the images of {truth.source or 'the dataset'}",
            file=predictions.source or None,
        )
    truths = Side.truths(truth.instances, truth.source).select(
        ["image_id", "bbox", "area", "iscrowd"]
    )
    truth_groups = _groups(truths, image_ids)
    wanted = (truth_groups >= 0) & ~truths.column("iscrowd")
    truths, truth_groups = truths.take(np.flatnonzero(wanted)), truth_groups[wanted]
    truths.require("bbox", "which proposals are scored by")

    found = Side.detections(predictions.instances, predictions.source).in_file_order()
    proposals = found.select(["image_id", "bbox", "score"])
    proposals.require("bbox", "which proposals are scored by")
    groups = _groups(proposals, image_ids)
    if (groups < 0).any():
        row = (groups < 0).argmax()
        image = proposals.column("image_id")[row]
        raise proposals.error(row, f"image_id {image} is not among those that are evaluated")

    coverage = proposal_coverage(
        groups,
        proposals.column("score"),
        _corners(proposals),
        truth_groups,
        _corners(truths),
        _within(truths.column("area").astype(np.float32), header.areas),
        np.array(header.limits, np.int64),
        threads=evaluation_threads(),
    )
    columns = [from_numpy(truths.column(name)) for name in ("image_id", "annotation_id")]
    for values in coverage.reshape(-1, len(truth_groups)):
        columns.append(from_numpy(np.ascontiguousarray(values), ~np.isnan(values)))
    return pa.Table.from_arrays(columns, schema=header.schema())


def _groups(side: Side, image_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) int64, a number for each image; -1 where it was not run."""
    none = np.zeros(0, np.int64)
    return match_groups(
        side.column("image_id"), None, image_ids, none, threads=evaluation_threads()
    )


def _corners(side: Side) -> NDArray[np.float32]:
    """(N, 4) x1, y1, x2, y2, added in float32 as Detectron2's ``BoxMode.convert`` does."""
    boxes = side.boxes().astype(np.float32)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _within(areas: NDArray[np.float32], labels: tuple[str, ...]) -> NDArray[np.bool_]:
    """(A, G) whether an area lies within a range, both of whose ends belong to it."""
    ranges = np.array([AREAS[label] for label in labels], np.float32)
    return (areas >= ranges[:, :1]) & (areas <= ranges[:, 1:])


@dataclass(frozen=True, slots=True)
class Covered:
    """What of a table the recalls are computed from, image by image.

    Attributes:
        image_ids: (I,) int64, ascending.
        counted: (V, I) float64, how many truths count, for each limit and area range.
        found: (V, T, I) float64, how many of them are covered by a threshold's IoU or more.
    """

    image_ids: NDArray[np.int64]
    counted: NDArray[np.float64]
    found: NDArray[np.float64]

    @classmethod
    def of(
        cls, matches: pa.Table, header: ProposalHeader, thresholds: NDArray[np.float32]
    ) -> Covered:
        image_ids, places = np.unique(to_numpy(matches["image_id"]), return_inverse=True)

        def per_image(rows: NDArray[np.bool_]) -> NDArray[np.float64]:
            return np.bincount(places[rows], minlength=len(image_ids)).astype(np.float64)

        counted, found = [], []
        for limit in header.limits:
            for area in header.areas:
                column = matches[f"iou_{area}_{limit}"]
                ious, there = to_numpy(column), is_present(column)
                counted.append(per_image(there))
                found.append([per_image(there & (ious >= each)) for each in thresholds])
        return cls(image_ids, np.array(counted), np.array(found))
