"""Image files to pixels, by Pillow."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

UNDECODABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow's decoders raise on broken files."""


def decode(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, EXIF orientation applied.

    Raises:
        FileNotFoundError: there is no such file.
        UNDECODABLE: one of these, where it is no image that can be read.
    """
    with Image.open(path) as encoded:
        # In place, and converted where it must be: Pillow would copy the pixels for nothing.
        ImageOps.exif_transpose(encoded, in_place=True)
        image = encoded if encoded.mode == "RGB" else encoded.convert("RGB")
        pixels: NDArray[Any] = np.asarray(image)
    return pixels
