"""Cityscapes' average precision of instances, as cityscapesscripts computes it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite._version import __version__
from benchsuite.protocols import Predictions, Scores, Truth
from benchsuite_plugins.metrics.cityscapes.instance_ap import InstanceRows, accumulate, summary
from benchsuite_plugins.metrics.cityscapes.instance_match import match
from benchsuite_plugins.metrics.cityscapes.instance_table import InstanceHeader
from benchsuite_plugins.metrics.image_weights import row_weights


class CityscapesInstances:
    """Cityscapes' protocol for instances, as a ``benchsuite.protocols.Metric``.

    Truth is each image's instance map, not ``Truth.instances``. Only images with a row in
    ``predictions.images`` are scored. The match table is described in ``instance_table``.
    """

    @property
    def evaluator(self) -> str:
        return f"benchsuite {__version__}, cityscapes_instances"

    def match(self, truth: Truth, predictions: Predictions) -> pa.Table:
        """The match table: see ``instance_match.match``."""
        return match(truth, predictions, InstanceHeader(self.evaluator))

    def accumulate(
        self, matches: pa.Table, image_weights: Mapping[int, float] | None = None
    ) -> Scores:
        """AP and AP50: see ``instance_ap.accumulate``."""
        return accumulate(matches, image_weights)

    def resample(
        self, matches: pa.Table, image_ids: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        """AP and AP50 under each row of weights: see ``ResampledMetric``."""
        rows = InstanceRows(matches)
        found: dict[str, list[float]] = {"AP": [], "AP50": []}
        for of_images in weights:
            own = row_weights(rows.images, dict(zip(image_ids.tolist(), of_images.tolist())))
            for name, value in summary(rows.average_precisions(own)).items():
                found[name].append(value)
        return {name: np.array(values) for name, values in found.items()}


def create() -> CityscapesInstances:
    """The protocol."""
    return CityscapesInstances()
