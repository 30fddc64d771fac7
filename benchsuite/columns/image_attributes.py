"""What an image's record says of the image itself, for metrics and slices."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_values
from benchsuite.columns.record_list import RecordList

FIELDS = ("crowdIndex",)
"""Fields of numbers: CrowdPose's share of an image's keypoints that lie in other people's boxes."""


def attribute_columns(images: RecordList, order: NDArray[np.int64]) -> dict[str, pa.Array[Any]]:
    """The column ``attributes`` of ``schemas.TRUTH_IMAGES``, rows in the order given; none where no
    record has one of ``FIELDS``.

    Raises:
        InputError: a field is no finite number.
    """
    found: list[dict[str, float]] = [{} for _ in range(len(images))]
    for field in FIELDS:
        numbers, present = images.numbers(field)
        for row in np.flatnonzero(present):
            found[row][field] = float(numbers[row])
    if not any(found):
        return {}
    texts = [json.dumps(found[row]) if found[row] else None for row in order]
    return {"attributes": from_values(texts, pa.string())}
