"""Cityscapes' pixel scores, as cityscapesscripts computes them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite._version import __version__
from benchsuite.protocols import Predictions, Scores, Truth
from benchsuite_plugins.metrics.cityscapes.pixel_counts import match
from benchsuite_plugins.metrics.cityscapes.pixel_scores import (
    PixelRows,
    accumulate,
    summary,
    weighted_scores,
)
from benchsuite_plugins.metrics.cityscapes.pixel_table import PixelHeader


class CityscapesPixels:
    """Cityscapes' protocol for semantic maps, as a ``benchsuite.protocols.Metric``.

    Maps hold label ids. Values of objects (iIoU) need the truth's instance maps; where an image has
    none they are -1. Only images with a row in ``predictions.images`` are scored. The match table
    is described in ``pixel_table``.
    """

    @property
    def evaluator(self) -> str:
        return f"benchsuite {__version__}, cityscapes_pixels"

    def match(self, truth: Truth, predictions: Predictions) -> pa.Table:
        """The counted pixels: see ``pixel_counts.match``."""
        return match(truth, predictions, PixelHeader(self.evaluator))

    def accumulate(
        self, matches: pa.Table, image_weights: Mapping[int, float] | None = None
    ) -> Scores:
        """IoU, iIoU and those of categories: see ``pixel_scores.accumulate``."""
        return accumulate(matches, image_weights)

    def resample(
        self, matches: pa.Table, image_ids: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        """The averages under each row of weights: see ``ResampledMetric``."""
        rows, ids = PixelRows(matches), image_ids.tolist()
        found = [
            summary(weighted_scores(rows, dict(zip(ids, of_images.tolist()))))
            for of_images in weights
        ]
        names = summary(weighted_scores(rows, {}))
        return {name: np.array([values[name] for values in found]) for name in names}


def create() -> CityscapesPixels:
    """The protocol."""
    return CityscapesPixels()
