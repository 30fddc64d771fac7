"""The table of counted pixels that all of Cityscapes' pixel scores are computed from.

Its rows say how many pixels of an image have one number in the truth and one label in the
prediction. Tables of different images can be concatenated in any order.

Columns:

* ``image_id``: int64.
* ``is_instance``: bool: whether ``number`` is of the instance map, and not of the label map.
* ``number``: int64, a label id, or the number of an object of an evaluated label. ``NO_MAP``, in
  one row of no pixels, says that the image has no instance map.
* ``predicted``: int64, the predicted label id.
* ``pixels``: int64.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pyarrow as pa

from benchsuite.errors import ContractError

_KEY = b"benchsuite.cityscapes_pixels"

NO_MAP = -1


@dataclass(frozen=True, slots=True)
class PixelHeader:
    """What is common to all rows.

    Attributes:
        evaluator: what made the table, with its version.
    """

    evaluator: str

    def schema(self) -> pa.Schema:
        """The table's schema, with this header in its metadata."""
        fields = [
            pa.field("image_id", pa.int64(), nullable=False),
            pa.field("is_instance", pa.bool_(), nullable=False),
            pa.field("number", pa.int64(), nullable=False),
            pa.field("predicted", pa.int64(), nullable=False),
            pa.field("pixels", pa.int64(), nullable=False),
        ]
        return pa.schema(fields, metadata={_KEY: json.dumps({"evaluator": self.evaluator})})

    @classmethod
    def of(cls, matches: pa.Table) -> PixelHeader:
        """The header of such a table. Raises ``ContractError`` if it has none."""
        metadata = matches.schema.metadata or {}
        if _KEY not in metadata:
            raise ContractError(
                "the table holds no counted pixels of Cityscapes: its schema has no header"
            )
        return cls(**json.loads(metadata[_KEY]))
