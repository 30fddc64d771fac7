"""Masks as COCO's compressed run-length encoding (RLE).

``counts`` are the compressed runs as COCO files hold them (ASCII; ``bytes``, or ``str`` where a
file gave one); ``size`` is (height, width) in pixels. Pixels are read column by column. Everything
here equals pycocotools on what pycocotools accepts, and raises ``ValueError`` with what is wrong
on a malformed RLE: cut off, of other bytes, with a negative run, or covering another number of
pixels than the image has. A size that is not of integers is a ``TypeError``.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchsuite_kernels.columns import rle_batch, rle_reference
from benchsuite_kernels.dispatch import native, tally

Counts = bytes | str
Size = tuple[int, int]


def encode(mask: NDArray[Any]) -> bytes:
    """The RLE of a mask.

    Args:
        mask: (H, W), bool or uint8, in any memory order; what is not zero is inside.

    Raises:
        ValueError: the array has another shape or dtype.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.dtype not in (np.bool_, np.uint8):
        raise ValueError(f"a mask is (H, W) bool or uint8, not {mask.shape} {mask.dtype}")
    return _serving("rle_encode").encode(np.ascontiguousarray(mask, np.bool_))


def decode(counts: Counts, size: Size) -> NDArray[np.uint8]:
    """The mask of an RLE: (H, W) uint8, 0 or 1, in Fortran order (as its runs go)."""
    return _serving("rle_decode").decode(_bytes(counts), _size(size))


def area(counts: Counts) -> int:
    """Pixels inside. The image's size is not needed, and so not checked."""
    return _serving("rle_area").area(_bytes(counts))


def validate(counts: Counts, size: Size) -> int:
    """Check an RLE against its image's size; returns the pixels inside."""
    return _serving("rle_validate").validate(_bytes(counts), _size(size))


def merge(masks: Sequence[Counts], size: Size, *, intersect: bool = False) -> bytes:
    """The union of masks of one image, or their intersection.

    Raises:
        ValueError: there is no mask, or one is malformed.
    """
    if not masks:
        raise ValueError("there is no mask to merge")
    counts = [_bytes(mask) for mask in masks]
    return _serving("rle_merge").merge(counts, _size(size), intersect)


def to_bbox(counts: Counts, size: Size) -> tuple[int, int, int, int]:
    """The tight box round the pixels inside, as COCO's (x, y, width, height); zeros if empty."""
    return _serving("rle_to_bbox").to_bbox(_bytes(counts), _size(size))


def from_runs(runs: ArrayLike, size: Size) -> bytes:
    """The RLE of COCO's uncompressed counts: run lengths, background first."""
    lengths = np.asarray(runs)
    if lengths.ndim != 1 or not lengths.size or lengths.dtype.kind not in "iu":
        raise ValueError("uncompressed counts are a non-empty list of integers")
    lengths = lengths.astype(np.int64)
    if lengths.min() < 0:
        raise ValueError(f"run {int((lengths < 0).argmax())} of the RLE is negative")
    rle_reference.check_cover(lengths, _size(size))
    return rle_reference.compress(lengths)


def from_polygons(polygons: Sequence[Sequence[float]], size: Size) -> bytes:
    """The RLE of the union of polygons, to the pixel as pycocotools' ``frPoly`` makes it.

    Args:
        polygons: each ``x1, y1, x2, y2, ...`` in pixels, at least three points.

    Raises:
        ValueError: there is none, or one of an odd length, too short or with a number that is not
            finite or beyond 4e8.
    """
    numbers = np.array([len(polygon) for polygon in polygons], np.int32)
    points = np.array([number for polygon in polygons for number in polygon], np.float64)
    sizes = np.array([_size(size)])
    counts, _ = rle_batch.from_polygons(points, numbers, np.array([len(numbers)], np.int32), sizes)
    return counts.tobytes()


class _Kernels(Protocol):
    """What the reference module and the extension both offer."""

    def encode(self, mask: NDArray[np.bool_]) -> bytes: ...
    def decode(self, counts: bytes, size: Size) -> NDArray[np.uint8]: ...
    def area(self, counts: bytes) -> int: ...
    def validate(self, counts: bytes, size: Size) -> int: ...
    def merge(self, masks: list[bytes], size: Size, intersect: bool) -> bytes: ...
    def to_bbox(self, counts: bytes, size: Size) -> tuple[int, int, int, int]: ...


def _serving(operator: str) -> _Kernels:
    extension = native()
    if extension is None:
        tally(operator, "reference")
        return rle_reference
    tally(operator, "c++")
    kernels: _Kernels = extension.rle
    return kernels


def _bytes(counts: Counts) -> bytes:
    if isinstance(counts, bytes):
        return counts
    if not isinstance(counts, str):
        raise ValueError(f"RLE counts are bytes or str, not {type(counts).__name__}")
    try:
        return counts.encode("ascii")
    except UnicodeEncodeError as error:
        raise ValueError(f"character {error.start} of the RLE is not ASCII") from None


def _size(size: Size) -> Size:
    height, width = (index(side) for side in size)
    if height < 0 or width < 0 or height * width > rle_reference.LONGEST_RUN:
        raise ValueError(f"an image of {height} x {width} pixels cannot be")
    return height, width
