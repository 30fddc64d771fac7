"""Masks as polygons, which transforms move point by point: exact, and much less than pixels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchsuite.targets import Polygons
from benchsuite.training.augmentation.polygon_clipping import clip_to_rectangle
from benchsuite.training.augmentation.sample_tensors import CanvasSize, Points


class Outlines(Points):
    """The outlines of N instances: all their points, (T, 2) float64.

    Attributes:
        lengths: (P,) int64, how many points each of all pieces has.
        counts: (N,) int64, how many pieces each instance has; one may have none.
    """

    lengths: NDArray[np.int64]
    counts: NDArray[np.int64]

    def __new__(
        cls,
        points: Any,
        lengths: NDArray[np.int64],
        counts: NDArray[np.int64],
        *,
        canvas_size: CanvasSize,
    ) -> Self:
        made = super().__new__(cls, points, canvas_size=canvas_size)
        if made.shape != (int(lengths.sum()), 2) or int(counts.sum()) != len(lengths):
            raise ValueError(
                f"outlines of {len(lengths)} pieces and {int(lengths.sum())} points were given "
                f"{tuple(made.shape)}: a transform may move points, but not add or drop them"
            )
        made.lengths, made.counts = lengths, counts
        return made

    @classmethod
    def of_polygons(cls, instances: Sequence[Polygons], canvas_size: CanvasSize) -> Self:
        """Outlines of each instance's polygons."""
        pieces = [piece for polygons in instances for piece in polygons]
        lengths = np.array([len(piece) for piece in pieces], np.int64)
        counts = np.array([len(polygons) for polygons in instances], np.int64)
        points = np.concatenate([*pieces, np.empty((0, 2))])
        return cls(torch.from_numpy(points), lengths, counts, canvas_size=canvas_size)

    def moved(self, points: Tensor, canvas_size: CanvasSize | None = None) -> Self:
        size = canvas_size or self.canvas_size
        return type(self)(points, self.lengths, self.counts, canvas_size=size)

    def polygons(self) -> list[Polygons]:
        """Each instance's polygons."""
        points = self.as_subclass(Tensor).numpy()
        pieces = np.split(points, np.cumsum(self.lengths)[:-1]) if len(self.lengths) else []
        ends = [0, *np.cumsum(self.counts).tolist()]
        return [tuple(pieces[start:end]) for start, end in pairwise(ends)]

    def of_instances(self, kept: NDArray[np.bool_]) -> Outlines:
        """Those of some instances: ``kept`` is (N,) bool."""
        whole = np.repeat(kept, self.counts)
        points = self.as_subclass(Tensor)[torch.from_numpy(np.repeat(whole, self.lengths))]
        return Outlines(
            points, self.lengths[whole], self.counts[kept], canvas_size=self.canvas_size
        )

    def boxes(self) -> NDArray[np.float64]:
        """(N, 4) float64, xyxy: the tight box of each instance; zeros for one without pieces."""
        boxes = np.zeros((len(self.counts), 4))
        some = self.counts > 0
        if some.any():
            points = self.as_subclass(Tensor).numpy()
            owners = np.repeat(np.repeat(np.arange(len(self.counts)), self.counts), self.lengths)
            first = np.searchsorted(owners, np.flatnonzero(some))
            boxes[some, :2] = np.minimum.reduceat(points, first)
            boxes[some, 2:] = np.maximum.reduceat(points, first)
        return boxes

    def within_image(self) -> Self:
        """The same without what lies outside the image."""
        points = self.as_subclass(Tensor).numpy()
        height, width = self.canvas_size
        limits = np.array([width, height], np.float64)
        if not len(points) or (points.min() >= 0 and (points <= limits).all()):
            return self
        starts = np.cumsum(self.lengths) - self.lengths
        low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
        inside: list[bool] = np.all((low >= 0) & (high <= limits), axis=1).tolist()
        outside: list[bool] = np.any((high <= 0) | (low >= limits), axis=1).tolist()
        pieces: list[NDArray[np.float64]] = []
        parts = np.empty(len(starts), np.int64)
        for row, (start, length) in enumerate(zip(starts, self.lengths, strict=True)):
            piece = points[start : start + length]
            if inside[row]:
                found = [piece]
            else:
                found = [] if outside[row] else clip_to_rectangle(piece, width, height)
            pieces += found
            parts[row] = len(found)
        owners = np.repeat(np.arange(len(self.counts)), self.counts)
        counts = np.bincount(owners, weights=parts, minlength=len(self.counts)).astype(np.int64)
        return type(self)(
            torch.from_numpy(np.concatenate([*pieces, np.empty((0, 2))])),
            np.array([len(piece) for piece in pieces], np.int64),
            counts,
            canvas_size=self.canvas_size,
        )
