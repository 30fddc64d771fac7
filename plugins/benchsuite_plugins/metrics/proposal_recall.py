"""Average recall of box proposals, as Detectron2 measures it.

The mean over ten IoU thresholds of the share of truths that the best 100 or 1,000 proposals of an
image cover. Categories do not matter. Published numbers of region proposal networks are these, not
COCO's (which a metric ``coco_bbox`` with ``use_categories=false`` gives): truths and proposals pair
off by greatest IoU, whatever the scores; crowds and proposals on them are left out; and a truth of
an image without any proposal does not count. IoU is computed in float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite._version import __version__
from benchsuite.errors import ContractError, UsageError
from benchsuite.protocols import Predictions, Scores, Truth
from benchsuite_plugins.metrics.image_weights import require_weights, row_weights
from benchsuite_plugins.metrics.proposal_table import Covered, ProposalHeader, match

THRESHOLDS = np.linspace(0.5, 0.95, 10).astype(np.float32)
"""IoU thresholds, in float32."""

_SUFFIXES = {"all": "", "small": "s", "medium": "m", "large": "l"}


@dataclass(frozen=True, slots=True)
class ProposalOptions:
    """Options of ``coco_proposals``.

    Attributes:
        limits: how many proposals of an image count, ascending.
    """

    limits: tuple[int, ...] = (100, 1000)


class ProposalRecall:
    """Average recall of proposals, as a ``benchsuite.protocols.Metric`` and ``ResampledMetric``.

    Values are called ``AR@100``, ``ARs@100``, … after the number of proposals and the area range.
    Only images with a row in ``predictions.images`` are scored.

    Args:
        options: what is chosen otherwise.

    Raises:
        UsageError: the limits do not ascend from 1 on.
    """

    def __init__(self, options: ProposalOptions | None = None) -> None:
        limits = (options or ProposalOptions()).limits
        if not limits or list(limits) != sorted(set(limits)) or limits[0] < 1:
            raise UsageError(f"metric.limits={list(limits)}: they must ascend from 1 on")
        self._limits = limits

    @property
    def evaluator(self) -> str:
        return f"benchsuite {__version__}"

    def match(self, truth: Truth, predictions: Predictions) -> pa.Table:
        """The IoU that each truth is covered with: see ``proposal_table``."""
        return match(truth, predictions, ProposalHeader(self._limits, self.evaluator))

    def accumulate(
        self, matches: pa.Table, image_weights: Mapping[int, float] | None = None
    ) -> Scores:
        """The average recalls."""
        header = ProposalHeader.of(matches)
        covered = Covered.of(matches, header, THRESHOLDS)
        weights = row_weights(covered.image_ids, image_weights)
        values = _recalls(covered, header, weights[None])
        return Scores({name: float(recalls[0]) for name, recalls in values.items()})

    def resample(
        self, matches: pa.Table, image_ids: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        """The average recalls for each row of weights: see ``ResampledMetric``.

        Raises:
            ContractError: a weight is negative or not finite, or an image is named twice.
        """
        header = ProposalHeader.of(matches)
        covered = Covered.of(matches, header, THRESHOLDS)
        require_weights(image_ids, weights)
        order = np.argsort(image_ids, kind="stable")
        ascending = image_ids[order]
        if (ascending[1:] == ascending[:-1]).any():
            raise ContractError("an image is named twice among those to be weighted")
        places = np.minimum(np.searchsorted(ascending, covered.image_ids), max(len(order) - 1, 0))
        chosen = np.zeros((len(weights), len(covered.image_ids)))
        if len(order):
            named = ascending[places] == covered.image_ids
            chosen[:, named] = weights[:, order[places[named]]]
        return _recalls(covered, header, chosen)


def _recalls(
    covered: Covered, header: ProposalHeader, weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """(R,) of each value for (R, I) weights; -1 where no truth counts."""
    values = {}
    names = [f"AR{_SUFFIXES[area]}@{limit}" for limit in header.limits for area in header.areas]
    for name, counted, found in zip(names, covered.counted, covered.found):
        truths = np.add.reduce(weights * counted, axis=1)
        recalls = np.zeros(len(weights))
        with np.errstate(invalid="ignore"):
            for at_threshold in found:
                recalls += np.add.reduce(weights * at_threshold, axis=1) / truths
        values[name] = np.where(truths > 0, recalls / len(found), -1.0)
    return values


def create(options: ProposalOptions | None = None) -> ProposalRecall:
    """The metric."""
    return ProposalRecall(options)
