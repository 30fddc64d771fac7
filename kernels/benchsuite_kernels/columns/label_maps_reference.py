"""Label maps by Pillow and NumPy: what the C++ kernels are held against.

``label_maps`` says what a map is; forms are 0 for grey and 1 for colour here.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

HEADER_BYTES = 33
"""Bytes of a PNG file up to the end of its header."""

MOST_PIXELS = 1 << 28

LARGEST_RATIO = 1032
"""The most bytes that one compressed byte can become."""

_GREY, _COLOUR = 0, 1
_INSIDE = 65535
_Map: TypeAlias = "NDArray[np.int64]"
_Columns: TypeAlias = "tuple[NDArray[np.int64], ...]"
_Failure: TypeAlias = "tuple[int, int, str] | None"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def read_header(png: bytes) -> tuple[int, int, int]:
    """Height, width and form. Raises ``ValueError`` with what is wrong."""
    height, width, _, colour_type = _header(png)
    return height, width, _COLOUR if colour_type in (2, 6) else _GREY


def decode(png: bytes, form: int) -> NDArray[Any]:
    """(H, W) uint8, uint16 or, in colour, uint32. Raises ``ValueError`` with what is wrong."""
    # Only where this reference serves is Pillow needed on the way to a number.
    from PIL import Image

    _, _, bits, colour_type = _header(png)
    in_colour = colour_type in (2, 6)
    if form == _COLOUR and not in_colour:
        raise ValueError(
            "is a PNG without colours; a map of segments has their numbers as R + 256 G + 65536 B"
        )
    if form == _COLOUR and bits != 8:
        raise ValueError("is a PNG of 16 bits a colour; a map of segments has 8")
    if form == _GREY and in_colour:
        raise ValueError("is a PNG in colour; a map of labels is grey or has a palette")
    if colour_type == 4:
        raise ValueError("is a PNG with transparency, which a map of labels has none of")
    _check_rows(png)
    # Pillow passes over much that is damaged, but nothing of that is left here.
    with Image.open(io.BytesIO(png)) as image:
        pixels = np.asarray(image)
    if form == _COLOUR:
        red, green, blue = (pixels[..., channel].astype(np.uint32) for channel in range(3))
        return red | green << 8 | blue << 16
    return pixels.astype(np.uint16 if bits == 16 else np.uint8)


def count_pairs(
    firsts: Sequence[Sequence[Any]],
    seconds: Sequence[Any],
    first_forms: Sequence[int],
    second_form: int,
    threads: int,
) -> tuple[list[_Columns], _Failure]:
    """Starts, both numbers and pixels of every pair, by kind of first map; see ``label_maps``.

    And the first failure: the item, the kind (of a second map: how many kinds there are) and the
    problem; ``None``: there is none.
    """

    def count(_: int, maps: Sequence[_Map]) -> list[_Columns]:
        return [_distinct(first, maps[-1]) for first in maps[:-1]]

    return _counted(firsts, seconds, [*first_forms, second_form], count)


def count_boundary_pairs(
    firsts: Sequence[Any],
    seconds: Sequence[Any],
    first_form: int,
    second_form: int,
    first_classes: Sequence[NDArray[np.int64]],
    second_classes: Sequence[NDArray[np.int64]],
    ratio: float,
    threads: int,
) -> tuple[_Columns, _Failure]:
    """The same of classes at the boundaries of their regions: see ``label_maps``."""

    def count(item: int, maps: Sequence[_Map]) -> list[_Columns]:
        first, second = maps
        distance = max(1, round(ratio * float(np.sqrt(first.shape[0] ** 2 + first.shape[1] ** 2))))
        a, b = _classes(item, first, first_classes), _classes(item, second, second_classes)
        a_marked = np.where(_inside(a, distance), _INSIDE, a)
        b_marked = np.where(_inside(b, distance) | (b < 0), _INSIDE, b)
        counted = (a >= 0) & ((a_marked != _INSIDE) | (b_marked != _INSIDE))
        return [_distinct(a_marked[counted], b_marked[counted])]

    columns, failure = _counted([firsts], seconds, [first_form, second_form], count)
    return columns[0], failure


def _counted(
    firsts: Sequence[Sequence[Any]],
    seconds: Sequence[Any],
    forms: Sequence[int],
    count: Callable[[int, Sequence[_Map]], list[_Columns]],
) -> tuple[list[_Columns], _Failure]:
    """What ``count`` finds in the maps of each item, by kind of first map."""
    found: list[list[_Columns]] = []
    failure = None
    for item, sources in enumerate(zip(*firsts, seconds)):
        maps: list[_Map] = []
        try:
            for source, form in zip(sources, forms):
                maps.append(decode(_bytes(source), form).astype(np.int64))
            for first in maps[:-1]:
                _check_sizes(first, maps[-1])
        except ValueError as error:
            failure = (item, min(len(maps), len(firsts)), str(error))
            break
        found.append(count(item, maps))
    none = np.zeros(0, np.int64)
    result = []
    for kind in range(len(firsts)):
        of_kind = [columns[kind] for columns in found]
        starts = np.cumsum([0, *(len(columns[0]) for columns in of_kind)], dtype=np.int64)
        joined = (np.concatenate([none, *parts]) for parts in zip(*of_kind))
        result.append((starts, *(joined if of_kind else (none, none, none))))
    return result, failure


def _distinct(first: _Map, second: NDArray[np.int64]) -> _Columns:
    """The pairs that occur, ascending, and how often each does."""
    pairs, pixels = np.unique(first.ravel() << 32 | second.ravel(), return_counts=True)
    return pairs >> 32, pairs & 0xFFFFFFFF, pixels


def _classes(
    item: int, numbers: NDArray[np.int64], classes: Sequence[NDArray[np.int64]]
) -> NDArray[np.int64]:
    """The class of each pixel, -1 where it is of none."""
    starts, listed, of_class = classes
    place = 0 if len(starts) == 2 else item
    own = slice(starts[place], starts[place + 1])
    known, found = np.append(listed[own], -1), np.append(of_class[own], -1)
    places = np.searchsorted(known[:-1], numbers)
    return np.where(known[places] == numbers, found[places], -1)


def _inside(classes: NDArray[np.int64], distance: int) -> NDArray[np.bool_]:
    """Whether the square of ``distance`` pixels to all sides is of the pixel's class."""
    if 2 * distance + 1 > min(classes.shape):
        return np.zeros(classes.shape, np.bool_)
    lowest = highest = np.pad(classes, distance, constant_values=-2)
    for axis in (0, 1):
        lowest = sliding_window_view(lowest, 2 * distance + 1, axis).min(axis=-1)
        highest = sliding_window_view(highest, 2 * distance + 1, axis).max(axis=-1)
    return np.asarray(lowest == highest)


def _check_rows(png: bytes) -> None:
    """Raises ``ValueError`` unless all rows are there, under sound checksums."""
    height, width, bits, colour_type = _header(png)
    at, compressed = HEADER_BYTES, None
    while at < len(png):
        if len(png) - at < 12:
            raise ValueError("is a PNG file that is cut off")
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        if length > len(png) - at - 12:
            raise ValueError("is a PNG file that is cut off")
        (crc,) = struct.unpack(">I", png[at + 8 + length : at + 12 + length])
        if zlib.crc32(png[at + 4 : at + 8 + length]) != crc:
            raise ValueError("is a damaged PNG file: the checksum of a chunk is wrong")
        if kind == b"IDAT":
            compressed = (compressed or b"") + png[at + 8 : at + 8 + length]
        elif compressed is not None or kind == b"IEND":
            break
        elif not kind[0] & 0x20 and kind != b"PLTE":
            raise ValueError("is a PNG file with a chunk that is not known and not optional")
        at += length + 12
    if compressed is None:
        raise ValueError("is a PNG file without pixels")
    rows = _row_bytes(width, height, bits * _SAMPLES[colour_type], interlaced=png[28] == 1)
    expected = sum(count * (length + 1) for count, length in rows)
    if expected > LARGEST_RATIO * len(compressed):
        raise ValueError("is a damaged PNG file: it is too small for its number of pixels")
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(compressed, expected + 1)
    except zlib.error as error:
        raise ValueError(f"is a damaged PNG file: {error}") from None
    if not stream.eof or len(raw) != expected:
        raise ValueError("is a damaged PNG file: it holds another number of pixels than it says")
    start = 0
    for count, length in rows:
        filters = raw[start : start + count * (length + 1) : length + 1]
        if max(filters) > 4:
            raise ValueError("is a damaged PNG file: a row has a filter that there is none of")
        start += count * (length + 1)


def _row_bytes(width: int, height: int, bits: int, interlaced: bool) -> list[tuple[int, int]]:
    """How many rows of how many bytes each there are, pass by pass."""
    parts = [
        (len(range(y, height, dy)), (len(range(x, width, dx)) * bits + 7) // 8)
        for x, y, dx, dy in (_ADAM7 if interlaced else ((0, 0, 1, 1),))
    ]
    return [(count, length) for count, length in parts if count and length]


def _check_sizes(first: NDArray[np.int64], second: NDArray[np.int64]) -> None:
    if first.shape != second.shape:
        (height, width), (other_height, other_width) = second.shape, first.shape
        raise ValueError(
            f"is of {width} x {height} pixels, the truth's map of {other_width} x {other_height}"
        )


def _header(png: bytes) -> tuple[int, int, int, int]:
    """Height, width, bits of a sample and colour type."""
    if png[:8] != _SIGNATURE:
        raise ValueError("is no PNG file")
    if len(png) < HEADER_BYTES:
        raise ValueError("is a PNG file that is cut off")
    length, kind, width, height, bits, colour_type, *rest, crc = struct.unpack(
        ">I4sIIBBBBBI", png[8:HEADER_BYTES]
    )
    if kind != b"IHDR" or length != 13:
        raise ValueError("is no PNG file: it does not begin as one")
    if zlib.crc32(png[12 : HEADER_BYTES - 4]) != crc:
        raise ValueError("is a damaged PNG file: the checksum of a chunk is wrong")
    compression, filtering, interlacing = rest
    known = bits in _DEPTHS.get(colour_type, ()) and interlacing <= 1
    if not known or compression or filtering:
        raise ValueError("is a PNG file whose header says what no PNG can be")
    if not width or not height or max(width, height) >= 1 << 31 or width * height > MOST_PIXELS:
        raise ValueError(f"is of {width} x {height} pixels, which no map has")
    return height, width, bits, colour_type


def _bytes(source: Any) -> bytes:
    if not isinstance(source, str):
        return bytes(source)
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or error}") from None
