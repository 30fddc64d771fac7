"""The instances of a training set as columns, ordered by image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.training.data.mask_column import MaskColumn


@dataclass(frozen=True, slots=True, eq=False)
class InstanceColumns:
    """N instances of I images.

    Attributes:
        starts: (I + 1,) int64: those of image ``i`` are rows ``starts[i]`` to ``starts[i + 1]``.
        ids: (N,) int64, annotation ids.
        boxes: (N, 4) float32, xyxy.
        labels: (N,) int64, index into the model's categories.
        masks: N masks, or ``None``.
        keypoints: (N, K, 3) float32 as in ``Target``, or ``None``.
    """

    starts: NDArray[np.int64]
    ids: NDArray[np.int64]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    masks: MaskColumn | None = None
    keypoints: NDArray[np.float32] | None = None

    def rows(self, image: int) -> slice:
        """Those of an image."""
        return slice(int(self.starts[image]), int(self.starts[image + 1]))

    def images(self) -> NDArray[np.int64]:
        """(N,), which image each instance is of."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def take(self, rows: NDArray[np.integer[Any]], images: int) -> InstanceColumns:
        """Those instances, in that order, which must be that of their images.

        Args:
            images: I.
        """
        counts = np.bincount(self.images()[rows], minlength=images)
        return InstanceColumns(
            np.concatenate([[0], np.cumsum(counts)]),
            self.ids[rows],
            self.boxes[rows],
            self.labels[rows],
            None if self.masks is None else self.masks.take(rows),
            None if self.keypoints is None else self.keypoints[rows],
        )

    def of_images(self, images: NDArray[np.integer[Any]]) -> InstanceColumns:
        """Those of some images, which are numbered anew."""
        counts = np.diff(self.starts)[images]
        starts = np.concatenate([[0], np.cumsum(counts)])
        rows = np.repeat(self.starts[:-1][images] - starts[:-1], counts) + np.arange(starts[-1])
        return InstanceColumns(
            starts,
            self.ids[rows],
            self.boxes[rows],
            self.labels[rows],
            None if self.masks is None else self.masks.take(rows),
            None if self.keypoints is None else self.keypoints[rows],
        )
