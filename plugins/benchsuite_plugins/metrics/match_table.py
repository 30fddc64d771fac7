"""The table that COCO matching makes: all that any value of the protocol is computed from.

One row for each detection that counts (the best ``most_detections`` of an image and category) and
one for each truth. Tables of different images can be concatenated in any order: whatever order
matters is in the columns, and what is common to all is in the schema's metadata.

Columns:

* ``image_id``, ``category_id``: int64, the dataset's ids.
* ``is_truth``: bool.
* ``source_id``: int64, a detection's ``prediction`` or a truth's ``annotation_id``.
* ``rank``: int32, a detection's place by descending score in its image and category, from 0; the
  earlier in the file, the earlier among equal scores. Null for a truth.
* ``score``: float64. Null for a truth.
* for each area range ``<area>``: ``matched_<area>`` and ``ignored_<area>``, unsigned integers whose
  bit ``t`` stands for IoU threshold ``t``. A detection that is neither matched nor ignored is a
  false positive; a truth that is ignored is not to be found.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy
from benchsuite.errors import ContractError
from benchsuite_kernels.columns.detection_match import Matches
from benchsuite_plugins.metrics.coco_protocol import CocoProtocol

_KEY = b"benchsuite.coco_match"


@dataclass(frozen=True, slots=True)
class MatchHeader:
    """What is common to all rows of a match table.

    Attributes:
        protocol: the parameters it was made by.
        category_ids: those evaluated, ascending.
        evaluator: what made it, with its version.
    """

    protocol: CocoProtocol
    category_ids: tuple[int, ...]
    evaluator: str

    @property
    def bits(self) -> np.dtype[np.unsignedinteger]:
        """The smallest unsigned integer with a bit for each IoU threshold."""
        for dtype in (np.uint8, np.uint16, np.uint32, np.uint64):
            if np.iinfo(dtype).bits >= len(self.protocol.iou_thresholds):
                return np.dtype(dtype)
        count = len(self.protocol.iou_thresholds)
        raise ContractError(f"a match table takes 64 IoU thresholds at most, not {count}")

    @property
    def every_bit(self) -> int:
        """The number in which the bits of all IoU thresholds are set."""
        return (1 << len(self.protocol.iou_thresholds)) - 1

    def schema(self) -> pa.Schema:
        """The table's schema, with this header in its metadata."""
        bits = pa.from_numpy_dtype(self.bits)
        fields: list[pa.Field[Any]] = [
            pa.field("image_id", pa.int64(), nullable=False),
            pa.field("category_id", pa.int64(), nullable=False),
            pa.field("is_truth", pa.bool_(), nullable=False),
            pa.field("source_id", pa.int64(), nullable=False),
            pa.field("rank", pa.int32()),
            pa.field("score", pa.float64()),
        ]
        for area in self.protocol.areas:
            fields.append(pa.field(f"matched_{area}", bits, nullable=False))
            fields.append(pa.field(f"ignored_{area}", bits, nullable=False))
        content = {
            "protocol": self.protocol.to_json(),
            "category_ids": self.category_ids,
            "evaluator": self.evaluator,
        }
        return pa.schema(fields, metadata={_KEY: json.dumps(content)})

    @classmethod
    def of(cls, matches: pa.Table) -> MatchHeader:
        """The header of a match table. Raises ``ContractError`` if it has none."""
        metadata = matches.schema.metadata or {}
        if _KEY not in metadata:
            raise ContractError("the table is no COCO match table: its schema has no header")
        content = json.loads(metadata[_KEY])
        return cls(
            protocol=CocoProtocol.from_json(content["protocol"]),
            category_ids=tuple(content["category_ids"]),
            evaluator=content["evaluator"],
        )


@dataclass(frozen=True, slots=True)
class MatchedSide:
    """One side's rows, as they were given to the kernel.

    Attributes:
        image_ids, category_ids: (N,) int64, as the table shall have them.
        source_ids: (N,) int64, ``prediction`` or ``annotation_id``.
    """

    image_ids: NDArray[np.int64]
    category_ids: NDArray[np.int64]
    source_ids: NDArray[np.int64]


def make_match_table(
    detections: MatchedSide,
    scores: NDArray[np.float64],
    truths: MatchedSide,
    truth_order: NDArray[np.int64],
    matches: Matches,
    header: MatchHeader,
) -> pa.Table:
    """The match table: the detections that count, then the truths.

    Args:
        scores: (N,) of the detections.
        truth_order: (G,) the order that the truths' rows shall have.
    """
    order, g = matches.order, len(truth_order)

    def rows(of_detections: NDArray[Any], of_truths: NDArray[Any]) -> NDArray[Any]:
        """Both sides' values in one piece of memory, so that nobody need join them again."""
        joined = np.empty(len(order) + g, of_detections.dtype)
        np.take(of_detections, order, out=joined[: len(order)], mode="clip")
        np.take(of_truths, truth_order, out=joined[len(order) :], mode="clip")
        return joined

    def bits(of_detections: NDArray[Any], of_truths: NDArray[Any]) -> pa.Array[Any]:
        return from_numpy(np.concatenate([of_detections, of_truths.take(truth_order)]))

    is_truth = np.arange(len(order) + g) >= len(order)
    ranks = np.concatenate([matches.ranks, np.zeros(g, np.int32)])
    columns = [
        from_numpy(rows(detections.image_ids, truths.image_ids)),
        from_numpy(rows(detections.category_ids, truths.category_ids)),
        from_numpy(is_truth),
        from_numpy(rows(detections.source_ids, truths.source_ids)),
        from_numpy(ranks, ~is_truth),
        from_numpy(rows(scores, np.zeros(g)), ~is_truth),
    ]
    for matched, ignored, truth_matched, truth_ignored in zip(
        matches.matched, matches.ignored, matches.truth_matched, matches.truth_ignored
    ):
        columns += [bits(matched, truth_matched), bits(ignored, truth_ignored)]
    return pa.Table.from_arrays(columns, schema=header.schema())
