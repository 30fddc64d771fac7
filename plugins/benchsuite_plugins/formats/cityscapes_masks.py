"""Masks of Cityscapes' result format: images of which everything that is not black is inside."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchsuite.errors import InputError
from benchsuite_kernels.columns import rle
from benchsuite_kernels.columns.label_maps import MapError, decode

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BITS, _COLOUR_TYPE = 24, 25
"""Where a PNG's header says how many bits a sample has, and what a pixel is."""


def decode_mask(encoded: bytes, path: Path) -> NDArray[np.bool_]:
    """(H, W) bool: what is not 0 once the image is made grey as Pillow does it.

    Raises:
        InputError: it is no image.
    """
    grey = encoded[:8] == _SIGNATURE and encoded[_COLOUR_TYPE : _COLOUR_TYPE + 1] == b"\0"
    if grey and encoded[_BITS] <= 8:
        try:
            return np.asarray(decode(encoded, "grey") != 0, np.bool_)
        except MapError as error:
            raise InputError(f"the mask {error.problem}", file=path) from None
    # Colours and 16 bits lose some of what is not 0 on the way: that is Pillow's to say. It is
    # imported only where it is needed.
    from PIL import Image

    try:
        with Image.open(BytesIO(encoded)) as image:
            return np.asarray(np.asarray(image.convert("L")) != 0, np.bool_)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"is no image: {error}", file=path) from error


def encode_mask(counts: bytes, size: tuple[int, int]) -> bytes:
    """An RLE as a PNG of one bit a pixel."""
    from PIL import Image

    inside = rle.decode(counts, size).astype(np.bool_)
    encoded = BytesIO()
    Image.fromarray(np.ascontiguousarray(inside)).save(encoded, "PNG")
    return encoded.getvalue()
