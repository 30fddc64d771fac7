"""Which instance each point is trained towards (Tian et al., "FCOS: a simple and strong anchor-free
object detector", 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from benchsuite_plugins.models.boxes import box_area
from benchsuite_plugins.models.matcher import NEGATIVE, POSITIVE
from benchsuite_plugins.models.target_batch import TargetBatch

SMALLEST, LARGEST = 4.0, 8.0
"""A level is for boxes whose farthest side is so many strides away from the point; the finest level
has no lower end, the coarsest no upper one."""

AREA_LIMIT = 1e8
"""Boxes must be smaller, in square pixels."""


@dataclass(frozen=True, slots=True)
class Points:
    """M points of all levels.

    Attributes:
        centers: (M, 2), x and y.
        strides: (M,) of their levels.
        lower, upper: (M,) between which the farthest side of a box must be.
    """

    centers: Tensor
    strides: Tensor
    lower: Tensor
    upper: Tensor


class FCOSMatcher:
    """Gives a point the smallest box that it lies in, near whose centre it lies, and whose size is
    its level's business.

    Args:
        center_sampling_radius: how near, in strides along each axis.
    """

    def __init__(self, center_sampling_radius: float) -> None:
        self.center_sampling_radius = center_sampling_radius

    def __call__(self, squares: Sequence[Tensor], truth: TargetBatch) -> tuple[Tensor, Tensor]:
        """Match the points, which all images share, to the objects of each of N images.

        Args:
            squares: a (M, 4) a level, finest first: squares as wide as a stride around the points.

        Returns:
            matched: (N, all M) int64, rows of ``truth``; of no meaning where nothing matches.
            labels: (N, all M) int64, ``POSITIVE`` or ``NEGATIVE``.
        """
        every = torch.cat(list(squares))
        strides = every[:, 2] - every[:, 0]
        lower, upper = SMALLEST * strides, LARGEST * strides
        lower[: len(squares[0])] = 0
        upper[len(every) - len(squares[-1]) :] = torch.inf
        points = Points(0.5 * (every[:, :2] + every[:, 2:]), strides, lower, upper)
        matched, labels, start = [], [], 0
        for boxes in torch.split(truth.boxes, list(truth.counts)):
            index, found = self._match(points, boxes)
            matched.append(index + start)
            labels.append(torch.where(found, POSITIVE, NEGATIVE))
            start += len(boxes)
        return torch.stack(matched), torch.stack(labels)

    def _match(self, points: Points, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """(M,) int64 and bool: index into the (G, 4) ``boxes`` of one image, and whether any."""
        # One more, of no extent, in which nothing lies: so that there is always a box.
        boxes = F.pad(boxes, (0, 0, 0, 1))
        centers = 0.5 * (boxes[:, :2] + boxes[:, 2:])
        at = points.centers[:, None]
        sides = torch.cat([at - boxes[:, :2], boxes[:, 2:] - at], dim=-1)
        reach = self.center_sampling_radius * points.strides[:, None]
        fits = (at - centers).abs().amax(dim=-1) < reach
        fits &= sides.amin(dim=-1) > 0
        farthest = sides.amax(dim=-1)
        fits &= (farthest > points.lower[:, None]) & (farthest < points.upper[:, None])
        # Rounded as in the published training: of areas that are nearly equal the first box wins.
        smallness, index = (AREA_LIMIT - box_area(boxes)).where(fits, 0.0).max(dim=1)
        return index, smallness > 0
