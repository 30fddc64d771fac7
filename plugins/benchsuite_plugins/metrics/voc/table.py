"""The table that VOC matching makes.

Its columns are those of COCO's (see ``match_table``), with one range of areas, ``all``, and a row
for every detection. A detection that is matched to a difficult object is matched and ignored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from benchsuite.errors import ContractError
from benchsuite_plugins.metrics.voc.options import Interpolation

_KEY = b"benchsuite.voc_match"

MOST_THRESHOLDS = 64


@dataclass(frozen=True, slots=True)
class VocHeader:
    """What is common to all rows.

    Attributes:
        iou_thresholds: what bit ``t`` stands for.
        interpolation: how precisions are read off.
        category_ids: those evaluated, ascending.
        evaluator: what made the table, with its version.
    """

    iou_thresholds: tuple[float, ...]
    interpolation: Interpolation
    category_ids: tuple[int, ...]
    evaluator: str

    @property
    def bits(self) -> np.dtype[np.unsignedinteger[Any]]:
        """The smallest unsigned integer with a bit for each IoU threshold."""
        for dtype in (np.uint8, np.uint16, np.uint32, np.uint64):
            if np.iinfo(dtype).bits >= len(self.iou_thresholds):
                return np.dtype(dtype)
        raise ContractError(f"at most {MOST_THRESHOLDS} IoU thresholds can be scored at once")

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
            pa.field("matched_all", bits, nullable=False),
            pa.field("ignored_all", bits, nullable=False),
        ]
        content = {
            "iou_thresholds": self.iou_thresholds,
            "interpolation": self.interpolation,
            "category_ids": self.category_ids,
            "evaluator": self.evaluator,
        }
        return pa.schema(fields, metadata={_KEY: json.dumps(content)})

    @classmethod
    def of(cls, matches: pa.Table) -> VocHeader:
        """The header of a match table. Raises ``ContractError`` if it has none."""
        metadata = matches.schema.metadata or {}
        if _KEY not in metadata:
            raise ContractError("the table is no VOC match table: its schema has no header")
        content = json.loads(metadata[_KEY])
        return cls(
            iou_thresholds=tuple(content["iou_thresholds"]),
            interpolation=content["interpolation"],
            category_ids=tuple(content["category_ids"]),
            evaluator=content["evaluator"],
        )
