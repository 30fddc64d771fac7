"""Semantic and panoptic maps as PNG bytes, and back.

A semantic map holds the category id of every pixel, in 8 bits where all ids of the model or
dataset fit and in 16 where not; where there is none, a number that is no category's id
(``void_number``). A panoptic map holds the
segment number as ``R + 256 G + 65536 B``, 0 where there is none (COCO's panoptic format).
"""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SEMANTIC_VOID = 0
"""What pixels without a category hold in a semantic map, unless a category has that id."""

LARGEST_SEMANTIC_ID = (1 << 16) - 1
LARGEST_SEGMENT = (1 << 24) - 1


def void_number(category_ids: Iterable[int]) -> int:
    """What pixels without a category hold in semantic maps of these categories.

    ``SEMANTIC_VOID``, or where a category has that id the largest number of as many bits as the ids
    take that is no category's. Ids that fit no map are passed over.

    Raises:
        ValueError: all numbers of 16 bits are category ids.
    """
    ids = {number for number in category_ids if 0 <= number <= LARGEST_SEMANTIC_ID}
    if SEMANTIC_VOID not in ids:
        return SEMANTIC_VOID
    for largest in (255, LARGEST_SEMANTIC_ID):
        free = set(range(largest + 1)) - ids
        if free and max(ids) <= largest:
            return max(free)
    raise ValueError("there is no number left for pixels without a category")


def encode_semantic(category_ids: NDArray[np.unsignedinteger]) -> bytes:
    """(H, W) category ids, uint8 or uint16, to a greyscale PNG of as many bits."""
    return _png(category_ids)


def decode_semantic(png: bytes) -> NDArray[np.uint16]:
    """A PNG of category ids to (H, W) uint16."""
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image).astype(np.uint16)


def encode_panoptic(segments: NDArray[np.int32]) -> bytes:
    """(H, W) int32 segment numbers, 0 to ``LARGEST_SEGMENT``, to an RGB PNG."""
    little_endian = np.ascontiguousarray(segments, dtype="<i4")
    return _png(little_endian.view(np.uint8).reshape(*segments.shape, 4)[..., :3])


def decode_panoptic(png: bytes) -> NDArray[np.int32]:
    """A PNG of segment numbers to (H, W) int32."""
    with Image.open(io.BytesIO(png)) as image:
        colours = np.asarray(image.convert("RGB")).astype(np.int32)
    return colours[..., 0] | colours[..., 1] << 8 | colours[..., 2] << 16


def _png(pixels: NDArray[np.unsignedinteger]) -> bytes:
    encoded = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(encoded, "PNG")
    return encoded.getvalue()
