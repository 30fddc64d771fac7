"""COCO's run-length encoding in NumPy: what the C++ kernels are held against.

A mask's pixels are read column by column; ``runs`` are the lengths of alternating background and
foreground stretches, background first (its length may be 0). The compressed form writes each run
as a signed number, from the fourth on as the difference to the run two before it, five bits a
byte, least significant first: bit 5 says that more follows, bit 4 of the last byte is the sign,
and 48 is added to make it printable. (Source: pycocotools' ``maskApi.c``.)
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 7
"""Bytes a run may take."""

LONGEST_RUN = 2**34
"""Pixels a run may have: more than any image, and sums of them stay within 64 bits."""


def runs_of(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(H, W) bool to its run lengths."""
    flat = mask.ravel(order="F")
    if not flat.size:
        return np.zeros(1, np.int64)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    start = [0, 0] if flat[0] else [0]
    bounds = np.concatenate([start, changes, [flat.size]]).astype(np.int64)
    return bounds[1:] - bounds[:-1]


def compress(runs: NDArray[np.int64]) -> bytes:
    """Run lengths to the compressed form."""
    (counts,) = compress_each(runs, np.array([0, len(runs)]))
    return counts


def compress_each(runs: NDArray[np.int64], starts: NDArray[np.int64]) -> list[bytes]:
    """Run lengths of many masks to the compressed form of each.

    Args:
        runs: (R,) int64, mask after mask.
        starts: (N + 1,) int64: the first run of each mask, and R.
    """
    rest = runs.astype(np.int64)
    place = np.arange(len(rest)) - np.repeat(starts[:-1], np.diff(starts))
    late = np.flatnonzero(place > 2)
    rest[late] -= runs[late - 2]
    columns = []
    open_ = np.ones(len(rest), bool)
    while open_.any():
        low = rest & 0x1F
        rest >>= 5
        more = np.where(low & 0x10, rest != -1, rest != 0)
        columns.append(np.where(open_, (low | more << 5) + 48, 0).astype(np.uint8))
        open_ &= more
    letters = np.stack(columns, axis=1) if columns else np.zeros((0, 1), np.uint8)
    written = letters > 0
    text = letters[written].tobytes()
    stops = np.concatenate([[0], np.cumsum(written.sum(axis=1))])[starts].tolist()
    return [text[start:stop] for start, stop in pairwise(stops)]


def decompress(counts: bytes) -> NDArray[np.int64]:
    """The compressed form to run lengths.

    Raises:
        ValueError: it is empty, cut off, holds a byte that has no meaning, or a run that is
            negative or absurdly long.
    """
    letters = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    if not letters.size:
        raise ValueError("the RLE is empty")
    strange = np.flatnonzero((letters < 0) | (letters > 63))
    if strange.size:
        at = int(strange[0])
        raise ValueError(f"byte {at} of the RLE is {counts[at]:#04x}, outside 0x30 to 0x6f")
    ends = np.flatnonzero(~letters & 0x20)
    if not ends.size or ends[-1] != len(letters) - 1:
        raise ValueError("the RLE ends within a run")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > MOST_BYTES:
        raise ValueError(f"run {int(lengths.argmax())} of the RLE is longer than any image")
    place = np.arange(len(letters)) - np.repeat(starts, lengths)
    runs = np.add.reduceat((letters & 0x1F) << 5 * place, starts)
    runs -= np.where(letters[ends] & 0x10, np.int64(1) << 5 * lengths, 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    negative = np.flatnonzero(runs < 0)
    if negative.size:
        at = int(negative[0])
        raise ValueError(f"run {at} of the RLE is negative ({int(runs[at])})")
    if runs.max() > LONGEST_RUN:
        raise ValueError(f"run {int(runs.argmax())} of the RLE is longer than any image")
    return runs


def check_cover(runs: NDArray[np.int64], size: tuple[int, int]) -> None:
    """Raise ``ValueError`` unless the runs cover an image of ``size`` (height, width) exactly."""
    height, width = size
    covered, pixels = int(runs.sum()), height * width
    if covered != pixels:
        raise ValueError(
            f"the runs of the RLE cover {covered} pixels, an image of {height} x {width} has "
            f"{pixels}"
        )


def encode(mask: NDArray[np.bool_]) -> bytes:
    return compress(runs_of(mask))


def decode(counts: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    runs = decompress(counts)
    check_cover(runs, size)
    flat = np.repeat(np.arange(len(runs), dtype=np.int64) & 1, runs).astype(np.uint8)
    return flat.reshape(size, order="F")


def area(counts: bytes) -> int:
    return int(decompress(counts)[1::2].sum())


def validate(counts: bytes, size: tuple[int, int]) -> int:
    runs = decompress(counts)
    check_cover(runs, size)
    return int(runs[1::2].sum())


def merge(masks: list[bytes], size: tuple[int, int], intersect: bool) -> bytes:
    decoded = np.stack([decode(mask, size) for mask in masks]).view(np.bool_)
    join = np.logical_and if intersect else np.logical_or
    merged: NDArray[np.bool_] = join.reduce(decoded)
    return encode(merged)


def to_bbox(counts: bytes, size: tuple[int, int]) -> tuple[int, int, int, int]:
    runs = decompress(counts)
    check_cover(runs, size)
    stops = np.cumsum(runs)[1::2]
    starts = stops - runs[1::2]
    starts, stops = starts[stops > starts], stops[stops > starts]
    if not starts.size:
        return 0, 0, 0, 0
    height = size[0]
    first, last = starts // height, (stops - 1) // height
    x, right = int(first[0]), int(last[-1])
    # A run over a column's end reaches the image's bottom, and its top in the next column.
    top = np.where(first == last, starts % height, 0)
    bottom = np.where(first == last, (stops - 1) % height, height - 1)
    y = int(top.min())
    return x, y, right - x + 1, int(bottom.max()) - y + 1
