"""How detections and truths overlap: what ``detection_match`` and ``best_overlap`` go by.

An ``Overlaps`` is one of the classes here. Each holds both sides, row for row as in ``Detections``
and ``Truths``. All are defined as in pycocotools, to the bit (``bbIou`` and ``rleIou`` of its
``maskApi.c``, ``computeOks`` of its ``COCOeval``). For a crowd truth the overlap of boxes and masks
is the intersection over the detection's area, in place of the union's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Masks:
    """Masks as COCO's compressed RLE (see ``columns.rle``), the counts of all in one buffer.

    Attributes:
        counts: (B,) uint8, the compressed counts one after the other.
        offsets: (N + 1,) int64, where each begins and the last ends.
        sizes: (N, 2) int32, height and width in pixels of each mask's image.
    """

    counts: NDArray[np.uint8]
    offsets: Rows
    sizes: NDArray[np.int32]

    def __post_init__(self) -> None:
        require("counts", self.counts, np.uint8, (len(self.counts),))
        require("offsets", self.offsets, np.int64, (len(self.sizes) + 1,))
        require("sizes", self.sizes, np.int32, (len(self.sizes), 2))
        steps = np.diff(self.offsets)
        if self.offsets[0] < 0 or (steps < 0).any() or self.offsets[-1] > len(self.counts):
            raise ValueError(f"offsets do not ascend from 0 to {len(self.counts)} at most")

    def __len__(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True, slots=True)
class BoxOverlaps:
    """IoU of boxes: (N, 4) and (G, 4) float64, ``x, y, width, height``, without any +1."""

    detections: Floats
    truths: Floats

    def __post_init__(self) -> None:
        require("detections", self.detections, np.float64, (len(self.detections), 4))
        require("truths", self.truths, np.float64, (len(self.truths), 4))


@dataclass(frozen=True, slots=True)
class MaskOverlaps:
    """IoU of masks; -1 where two boxes overlap whose images differ in size."""

    detections: Masks
    truths: Masks


@dataclass(frozen=True, slots=True)
class BoundaryOverlaps:
    """Boundary IoU of masks: the lesser of the IoU of masks and that of their boundaries.

    A pixel of a mask is of its boundary if a pixel outside of the mask, or of the image, is within
    a square that reaches so far on every side as the boundary is wide. For a crowd truth the masks
    alone count. As in ``boundary-iou-api``; Cheng et al., Boundary IoU, 2021.

    Attributes:
        ratio: the boundary's width over the image's diagonal, from 0 to 1. The width is rounded to
            pixels, half to even, and 1 at least.
    """

    detections: Masks
    truths: Masks
    ratio: float = 0.02

    def __post_init__(self) -> None:
        if not 0 <= self.ratio <= 1:
            raise ValueError(f"ratio is {self.ratio}, not from 0 to 1")


@dataclass(frozen=True, slots=True)
class KeypointOverlaps:
    """Object keypoint similarity (OKS).

    For a truth that has no visible keypoint, distances are those from its box made twice as large
    on every side.

    Attributes:
        detections: (N, 3 K) float64, ``x, y, anything`` of each keypoint.
        truths: (G, 3 K) float64, ``x, y, visibility``; above 0 is visible.
        boxes: (G, 4) float64, the truths' ``x, y, width, height``.
        areas: (G,) float64, the truths' areas: squared scales, which distances are divided by.
        sigmas: (K,) float64, standard deviation of each keypoint relative to the scale.
    """

    detections: Floats
    truths: Floats
    boxes: Floats
    areas: Floats
    sigmas: Floats

    def __post_init__(self) -> None:
        numbers = 3 * len(self.sigmas)
        require("sigmas", self.sigmas, np.float64, (len(self.sigmas),))
        require("detections", self.detections, np.float64, (len(self.detections), numbers))
        require("truths", self.truths, np.float64, (len(self.truths), numbers))
        require("boxes", self.boxes, np.float64, (len(self.truths), 4))
        require("areas", self.areas, np.float64, (len(self.truths),))


@dataclass(frozen=True, slots=True)
class GivenOverlaps:
    """Any other similarity, computed elsewhere, pair by pair.

    A pair is a detection and a truth of the same group (``overlap_pairs`` lists all of them); a
    pair that is not given overlaps by 0.

    Attributes:
        starts: (N + 1,) int64; the pairs of detection ``i`` are ``starts[i]`` to
            ``starts[i + 1]``.
        truths: (P,) int64, each pair's row of truths, ascending within a detection.
        values: (P,) float64, each pair's overlap.
    """

    starts: Rows
    truths: Rows
    values: Floats

    def __post_init__(self) -> None:
        require("starts", self.starts, np.int64, (len(self.starts),))
        require("truths", self.truths, np.int64, (len(self.truths),))
        require("values", self.values, np.float64, (len(self.truths),))
        if not len(self.starts) or self.starts[0] != 0 or self.starts[-1] != len(self.truths):
            raise ValueError(f"starts do not go from 0 to {len(self.truths)}, the number of pairs")
        if (np.diff(self.starts) < 0).any():
            raise ValueError("starts do not ascend")
        within = np.ones(len(self.truths), np.bool_)
        within[self.starts[:-1][self.starts[:-1] < len(within)]] = False
        descends = np.flatnonzero(within & (np.diff(self.truths, prepend=-1) <= 0))
        if len(descends):
            raise ValueError(f"pair {descends[0]}: the truths of a detection do not ascend")


Overlaps = BoxOverlaps | MaskOverlaps | BoundaryOverlaps | KeypointOverlaps | GivenOverlaps


def overlap_pairs(detection_groups: Rows, truth_groups: Rows) -> tuple[Rows, Rows]:
    """Every detection and truth that share a group, as ``GivenOverlaps`` wants them.

    Args:
        detection_groups: (N,) int64.
        truth_groups: (G,) int64.

    Returns:
        ``starts``, (N + 1,) int64, and ``truths``, (P,) int64.
    """
    order = np.argsort(truth_groups, kind="stable")
    ascending = truth_groups[order]
    first = np.searchsorted(ascending, detection_groups, side="left")
    counts = np.searchsorted(ascending, detection_groups, side="right") - first
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    within = np.arange(starts[-1]) - np.repeat(starts[:-1], counts)
    return starts, order[np.repeat(first, counts) + within].astype(np.int64)


def require_sides(overlaps: Overlaps, detections: int, truths: int) -> None:
    """Raise ``ValueError`` unless the overlaps are those of so many detections and truths."""
    if isinstance(overlaps, GivenOverlaps):
        found, named = len(overlaps.starts) - 1, overlaps.truths
        if len(named) and not (named.min() >= 0 and named.max() < truths):
            raise ValueError(f"a pair names a truth that is no row of 0 to {truths - 1}")
    else:
        found = len(overlaps.detections)
        if len(overlaps.truths) != truths:
            raise ValueError(f"overlaps are of {len(overlaps.truths)} truths, not {truths}")
    if found != detections:
        raise ValueError(f"overlaps are of {found} detections, not {detections}")


def require(
    name: str, array: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...]
) -> None:
    """Raise ``ValueError`` unless ``array`` is a C-ordered array of that dtype and shape."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
        wanted = f"{np.dtype(dtype)} array of shape {shape}"
        found = f"{getattr(array, 'dtype', type(array).__name__)} of {np.shape(array)}"
        raise ValueError(f"{name} is not a {wanted} but {found}")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} is not contiguous in memory")
