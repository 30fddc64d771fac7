"""LVIS's average precision of boxes and masks, equal to that of the ``lvis`` package to the bit.

Gupta et al., LVIS: A Dataset for Large Vocabulary Instance Segmentation, 2019.

Where the package fails there is the evident result: no detections at all are an AP of 0; an image
without ``neg_category_ids`` was searched for every category; one without
``not_exhaustive_category_ids`` is annotated exhaustively; a category without a frequency is none of
rare, common and frequent. Refused is what the package passes over or takes for something else:
detections of unknown categories (it leaves them out, after they have counted among the 300),
annotations that share an id (it counts the last of them several times), and a file of boxes where
masks are scored (it takes the boxes for masks). Means are summed as NumPy did up to version 2.2,
the package being made for versions before 1.24.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite._version import __version__
from benchsuite.protocols import Predictions, Scores, Truth
from benchsuite_plugins.metrics.coco_summary import per_class, pr_curves, summary
from benchsuite_plugins.metrics.lvis_match import match
from benchsuite_plugins.metrics.lvis_protocol import LvisOptions, lvis_protocol
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.precision_recall import accumulate
from benchsuite_plugins.metrics.resampling import resample


class LvisAP:
    """LVIS's protocol for one task, as a ``benchsuite.protocols.Metric``.

    Only images with a row in ``predictions.images`` are scored. The match table is COCO's (see
    ``match_table``); its header's protocol says which categories are rare, common and frequent.

    Args:
        task: ``bbox`` or ``segm``.
        options: what is chosen otherwise.

    Raises:
        UsageError: an option is out of range.
    """

    def __init__(self, task: str, options: LvisOptions | None = None) -> None:
        self._task, self._options = task, options
        lvis_protocol(task, (), options)

    @property
    def evaluator(self) -> str:
        return f"benchsuite {__version__}"

    def match(self, truth: Truth, predictions: Predictions) -> pa.Table:
        """The match table: see ``lvis_match.match``."""
        category_ids = tuple(sorted({category.id for category in truth.categories}))
        protocol = lvis_protocol(self._task, truth.categories, self._options)
        return match(truth, predictions, MatchHeader(protocol, category_ids, self.evaluator))

    def accumulate(
        self, matches: pa.Table, image_weights: Mapping[int, float] | None = None
    ) -> Scores:
        """The summary, per-class values and curves: see ``precision_recall.accumulate``."""
        curves = accumulate(matches, image_weights)
        return Scores(summary(curves), per_class(curves), pr_curves(curves))

    def resample(
        self, matches: pa.Table, image_ids: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        """The summary for each row of weights: see ``resampling.resample``."""
        return resample(matches, image_ids, weights)


def bbox(options: LvisOptions | None = None) -> LvisAP:
    """AP of boxes."""
    return LvisAP("bbox", options)


def segm(options: LvisOptions | None = None) -> LvisAP:
    """AP of masks."""
    return LvisAP("segm", options)
