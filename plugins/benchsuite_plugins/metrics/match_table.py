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

from benchsuite.errors import ContractError
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
