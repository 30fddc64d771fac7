"""The table that matching Cityscapes' instances makes: all that average precision is computed from.

One row for each predicted instance that is scored and one for each object or group of an evaluated
label. Tables of different images can be concatenated in any order.

Columns:

* ``image_id``: int64; ``category_id``: int64, the label id.
* ``is_truth``: bool.
* ``source_id``: int64, a prediction's ``prediction`` or the number in the instance map.
* ``score``: float64. Null for a truth.
* ``matched``, ``ignored``: uint16, whose bit ``t`` stands for overlap threshold ``t``. A prediction
  that is neither is a false positive; a truth that is ignored is not to be found.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from benchsuite.errors import ContractError

_KEY = b"benchsuite.cityscapes_instances"

OVERLAPS: tuple[float, ...] = tuple(np.arange(0.5, 1.0, 0.05).tolist())
"""Intersection over union that a match must exceed; as ``arange`` makes them."""

SMALLEST_OBJECT = 100
"""Pixels; a smaller object is not to be found."""

EVERY_BIT = (1 << len(OVERLAPS)) - 1
"""The number in which the bits of all thresholds are set."""


@dataclass(frozen=True, slots=True)
class InstanceHeader:
    """What is common to all rows.

    Attributes:
        evaluator: what made the table, with its version.
        overlaps: the thresholds that the bits stand for.
    """

    evaluator: str
    overlaps: tuple[float, ...] = OVERLAPS

    def schema(self) -> pa.Schema:
        """The table's schema, with this header in its metadata."""
        fields: list[pa.Field[Any]] = [
            pa.field("image_id", pa.int64(), nullable=False),
            pa.field("category_id", pa.int64(), nullable=False),
            pa.field("is_truth", pa.bool_(), nullable=False),
            pa.field("source_id", pa.int64(), nullable=False),
            pa.field("score", pa.float64()),
            pa.field("matched", pa.uint16(), nullable=False),
            pa.field("ignored", pa.uint16(), nullable=False),
        ]
        content = {"evaluator": self.evaluator, "overlaps": self.overlaps}
        return pa.schema(fields, metadata={_KEY: json.dumps(content)})

    @classmethod
    def of(cls, matches: pa.Table) -> InstanceHeader:
        """The header of a match table. Raises ``ContractError`` if it has none."""
        metadata = matches.schema.metadata or {}
        if _KEY not in metadata:
            raise ContractError(
                "the table holds no matches of Cityscapes' instances: its schema has no header"
            )
        content = json.loads(metadata[_KEY])
        return cls(content["evaluator"], tuple(content["overlaps"]))
