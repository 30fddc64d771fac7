"""The recall of box proposals, as Detectron2 publishes it for region proposal networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite._version import __version__
from benchsuite.columns.arrow_arrays import is_present, to_numpy
from benchsuite.errors import ContractError
from benchsuite.protocols import Predictions, Scores, Truth
from benchsuite_plugins.metrics.coco_protocol import AREAS
from benchsuite_plugins.metrics.image_weights import image_columns, require_weights, row_weights
from benchsuite_plugins.metrics.proposal_match import LIMITS, THRESHOLDS, match, overlap_column

_Floats = NDArray[np.float64]

_LETTERS = {"all": "", "small": "s", "medium": "m", "large": "l"}


class ProposalRecall:
    """``benchsuite.protocols.Metric`` and ``ResampledMetric``: average recall of class-agnostic
    proposals, ``AR@100`` to ``ARl@1000``.

    A value is the share of truths in its area range that are covered, averaged over the overlaps
    0.5, 0.55, ... 0.95 that they must be covered by; -1 where there is no truth. Which proposals
    cover which truths is said in ``proposal_match``. Only images with a row in
    ``predictions.images`` are scored.
    """

    @property
    def evaluator(self) -> str:
        return f"benchsuite {__version__}"

    def match(self, truth: Truth, predictions: Predictions) -> pa.Table:
        """The match table: see ``proposal_match.match``."""
        return match(truth, predictions)

    def accumulate(
        self, matches: pa.Table, image_weights: Mapping[int, float] | None = None
    ) -> Scores:
        """The recalls; there are no values of categories and no curves.

        Raises:
            ContractError: the table is no such match table, or a weight is negative or not finite.
        """
        counts = _ImageCounts.of(matches)
        recalls = counts.recalls(row_weights(counts.images, image_weights))
        return Scores({name: float(recall) for name, recall in zip(_NAMES, recalls)})

    def resample(
        self, matches: pa.Table, image_ids: NDArray[np.int64], weights: _Floats
    ) -> dict[str, _Floats]:
        """The recalls for each row of (R, I) weights of the images, to the bit ``accumulate``'s.

        Raises:
            ContractError: as above.
        """
        require_weights(image_ids, weights)
        counts = _ImageCounts.of(matches)
        columns = image_columns(counts.images, image_ids)
        recalls = np.empty((len(weights), len(_NAMES)))
        own = np.zeros(len(columns))
        for row, of_images in enumerate(weights):
            own[columns >= 0] = of_images[columns[columns >= 0]]
            recalls[row] = counts.recalls(own)
        return {name: recalls[:, place] for place, name in enumerate(_NAMES)}


def create() -> ProposalRecall:
    """The metric."""
    return ProposalRecall()


_VALUES = {f"AR{_LETTERS[area]}@{limit}": (area, limit) for limit in LIMITS for area in AREAS}
_NAMES = tuple(_VALUES)


@dataclass(frozen=True, slots=True)
class _ImageCounts:
    """What each image adds to the recalls.

    Attributes:
        images: (I,) int64, ids, ascending, of the images that have truths.
        found: (I, V, T), truths that are covered, for each value and threshold.
        truths: (I, V), truths in each value's area range.
    """

    images: NDArray[np.int64]
    found: _Floats
    truths: _Floats

    @classmethod
    def of(cls, matches: pa.Table) -> _ImageCounts:
        missing = {overlap_column(*value) for value in _VALUES.values()} - {*matches.column_names}
        if missing:
            raise ContractError(f"the table is no match table of proposals: no {min(missing)}")
        images, places = np.unique(to_numpy(matches["image_id"]), return_inverse=True)
        found = np.empty((len(images), len(_VALUES), len(THRESHOLDS)))
        truths = np.empty((len(images), len(_VALUES)))
        for v, value in enumerate(_VALUES.values()):
            column = matches[overlap_column(*value)]
            within = is_present(column)
            of_images, overlaps = places[within], to_numpy(column)[within]
            truths[:, v] = np.bincount(of_images, minlength=len(images))
            for t, threshold in enumerate(THRESHOLDS):
                covered = of_images[overlaps >= threshold]
                found[:, v, t] = np.bincount(covered, minlength=len(images))
        return cls(images, found, truths)

    def recalls(self, weights: _Floats) -> _Floats:
        """(V,) for (I,) weights of the images; -1 where no truth counts."""
        # Image after image, so that the sums do not depend on the order of the table's rows.
        truths = np.add.reduce(weights[:, None] * self.truths, axis=0)
        found = np.add.reduce(weights[:, None, None] * self.found, axis=0)
        there = truths > 0
        shares = found / np.where(there, truths, 1)[:, None]
        return np.where(there, shares.mean(axis=1), -1.0)
