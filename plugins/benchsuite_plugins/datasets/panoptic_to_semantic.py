"""Semantic truth made of panoptic truth: the category of every pixel instead of its segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.predictions.label_maps import (
    LARGEST_SEMANTIC_ID,
    SEMANTIC_VOID,
    decode_panoptic,
    encode_semantic,
)
from benchsuite.protocols import Truth
from benchsuite.schemas import TRUTH_IMAGES


def semantic_map(segments: NDArray[np.int32], categories: Mapping[int, int]) -> NDArray[np.uint16]:
    """The semantic map of a panoptic map, things and crowds included.

    Args:
        segments: (H, W) segment numbers.
        categories: segment number to category id, 1 to 65535.

    Returns:
        (H, W) category ids; ``SEMANTIC_VOID`` where the segment is not in ``categories``.

    Raises:
        ValueError: a category id does not fit.
    """
    for category in categories.values():
        if not SEMANTIC_VOID < category <= LARGEST_SEMANTIC_ID:
            raise ValueError(
                f"category id {category} does not fit a semantic map"
                f" ({SEMANTIC_VOID + 1} to {LARGEST_SEMANTIC_ID})"
            )
    present, places = np.unique(segments, return_inverse=True)
    ids = [categories.get(segment, SEMANTIC_VOID) for segment in present.tolist()]
    return np.array(ids, dtype=np.uint16)[places.reshape(segments.shape)]


def with_semantic_maps(truth: Truth) -> Truth:
    """Panoptic truth with ``semantic_png`` filled in; null where there is no panoptic map.

    Maps have 8 bits where all category ids of the dataset fit, 16 where not.
    """
    narrow = all(category.id <= 255 for category in truth.categories)
    rows = truth.images.select(["panoptic_png", "segments"]).to_pylist()
    maps = [None if row["panoptic_png"] is None else _encoded(row, narrow) for row in rows]
    at = TRUTH_IMAGES.get_field_index("semantic_png")
    filled = truth.images.set_column(at, TRUTH_IMAGES.field(at), pa.array(maps, pa.binary()))
    return replace(truth, images=filled)


def _encoded(row: Mapping[str, Any], narrow: bool) -> bytes:
    categories = {segment["id"]: segment["category_id"] for segment in row["segments"]}
    ids = semantic_map(decode_panoptic(row["panoptic_png"]), categories)
    return encode_semantic(ids.astype(np.uint8) if narrow else ids)
