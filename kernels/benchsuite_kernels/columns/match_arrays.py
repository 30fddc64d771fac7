"""What matching takes and gives: detections, truths and who matched whom, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns.overlaps import require

Bits = NDArray[np.unsignedinteger[Any]]

NEARLY_ONE = 1 - 1e-10
"""The overlap that a threshold above it is lowered to."""


@dataclass(frozen=True, slots=True)
class Detections:
    """One side, rows in file order.

    Attributes:
        groups: (N,) int64, any numbers; rows of the same number are of one image and category.
        scores: (N,) float64.
        areas: (N,) float64, square pixels.
        ignored_if_unmatched: (N,) bool, those that are no false positives whatever their area (in
            LVIS, of a category that is not exhaustively annotated in the image); ``None``: none.
    """

    groups: NDArray[np.int64]
    scores: NDArray[np.float64]
    areas: NDArray[np.float64]
    ignored_if_unmatched: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        shape = (len(self.groups),)
        require("groups", self.groups, np.int64, shape)
        require("scores", self.scores, np.float64, shape)
        require("areas", self.areas, np.float64, shape)
        if self.ignored_if_unmatched is not None:
            require("ignored_if_unmatched", self.ignored_if_unmatched, np.bool_, shape)

    def __len__(self) -> int:
        return len(self.groups)


@dataclass(frozen=True, slots=True)
class Truths:
    """The other side, rows in file order.

    Attributes:
        groups: (G,) int64, as those of the detections.
        areas: (G,) float64, square pixels.
        ignored: (G,) bool, those not to be found, in any area range.
        crowd: (G,) bool, those that many detections may match.
        loses_match: (G,) bool, those that leave their detection unmatched; ``None``: none.
    """

    groups: NDArray[np.int64]
    areas: NDArray[np.float64]
    ignored: NDArray[np.bool_]
    crowd: NDArray[np.bool_]
    loses_match: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        shape = (len(self.groups),)
        require("groups", self.groups, np.int64, shape)
        require("areas", self.areas, np.float64, shape)
        require("ignored", self.ignored, np.bool_, shape)
        require("crowd", self.crowd, np.bool_, shape)
        if self.loses_match is not None:
            require("loses_match", self.loses_match, np.bool_, shape)

    def __len__(self) -> int:
        return len(self.groups)


class Matches(NamedTuple):
    """Who matched whom. Bit ``t`` of a number stands for IoU threshold ``t``.

    The numbers are of the smallest unsigned dtype with that many bits. A detection that is neither
    matched nor ignored is a false positive; one may be both.

    Attributes:
        order: (D,) int64, the rows of detections that count (the best of each group), by ascending
            group, then descending score.
        ranks: (D,) int32, their places within their group, from 0.
        matched: (A, D), whether a detection matches, in the order of ``order``.
        ignored: (A, D), whether it is ignored, in the order of ``order``.
        truth_matched: (A, G), whether a truth is taken, row for row as in ``Truths``.
        truth_ignored: (A, G), all bits or none: whether it is not to be found.
        takes: (A, T, D) int32, the row of the truth that a detection takes, in the order of
            ``order``; -1 for none. ``None`` where it was not asked for.
    """

    order: NDArray[np.int64]
    ranks: NDArray[np.int32]
    matched: Bits
    ignored: Bits
    truth_matched: Bits
    truth_ignored: Bits
    takes: NDArray[np.int32] | None = None
