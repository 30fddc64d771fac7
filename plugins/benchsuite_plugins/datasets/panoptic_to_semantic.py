"""Semantic maps made of panoptic ones: the category of every pixel instead of its segment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_values
from benchsuite.errors import InputError
from benchsuite.predictions.label_maps import (
    LARGEST_SEMANTIC_ID,
    SEMANTIC_VOID,
    encode_semantic,
    void_number,
)
from benchsuite.protocols import Truth
from benchsuite.schemas import TRUTH_IMAGES
from benchsuite_kernels.columns.label_maps import MapError, decode


def semantic_map(
    segments: NDArray[np.integer[Any]], categories: Mapping[int, int], void: int = SEMANTIC_VOID
) -> NDArray[np.uint16]:
    """The semantic map of a panoptic map, things and crowds included.

    Args:
        segments: (H, W) segment numbers.
        categories: segment number to category id, 0 to 65535.
        void: what pixels get whose segment is not in ``categories``.

    Returns:
        (H, W) category ids.

    Raises:
        ValueError: a category id does not fit, or is that of void.
    """
    for category in categories.values():
        if not 0 <= category <= LARGEST_SEMANTIC_ID or category == void:
            raise ValueError(
                f"category id {category} does not fit a semantic map"
                f" (0 to {LARGEST_SEMANTIC_ID}, {void} being void)"
            )
    present, places = np.unique(segments, return_inverse=True)
    ids = [categories.get(segment, void) for segment in present.tolist()]
    return np.array(ids, dtype=np.uint16)[places.reshape(segments.shape)]


def with_semantic_maps(truth: Truth) -> Truth:
    """Panoptic truth with ``semantic_png`` filled in; null where there is no panoptic map.

    Maps have 8 bits where all category ids of the dataset fit, 16 where not.

    Raises:
        InputError: a map cannot be read.
    """
    at = TRUTH_IMAGES.get_field_index("semantic_png")
    maps = from_values(list(_semantic_pngs(truth)), pa.binary())
    return replace(truth, images=truth.images.set_column(at, TRUTH_IMAGES.field(at), maps))


def _semantic_pngs(truth: Truth) -> Iterator[bytes | None]:
    ids = {category.id for category in truth.categories}
    void = void_number(ids)
    depth = np.uint8 if max(ids | {void}) <= 255 else np.uint16
    columns = ["image_id", "panoptic_png", "panoptic_path", "segments"]
    for batch in truth.images.select(columns).to_batches(max_chunksize=64):
        for row in batch.to_pylist():
            source = row["panoptic_path"] if row["panoptic_png"] is None else row["panoptic_png"]
            if source is None:
                yield None
                continue
            categories = {segment["id"]: segment["category_id"] for segment in row["segments"]}
            try:
                numbers = decode(source, "colour")
            except MapError as error:
                file = source if isinstance(source, str) else truth.source or None
                record = f"image id {row['image_id']}"
                raise InputError(f"the map {error.problem}", file=file, record=record) from None
            yield encode_semantic(semantic_map(numbers, categories, void).astype(depth))
