"""Confidence intervals of a metric's values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.errors import UsageError
from benchsuite.intervals.half_samples import Replicates, evaluate_halves
from benchsuite.protocols import Metric

METHOD = "bias-corrected half-sample bootstrap"


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval of one value.

    Attributes:
        name: the value's name, as the metric has it.
        value: the value on all images, as the metric reports it. The interval is corrected for that
            value's bias, so it is not in the middle; on few images it may lie outside.
        low, high: the bounds.
        level: the share of such intervals that contain the population's value.
        method: how they were found.
        replicates: halves of the images that were evaluated.
        seed: that they were drawn with.
    """

    name: str
    value: float
    low: float
    high: float
    level: float
    method: str
    replicates: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


def intervals(
    metric: Metric,
    matches: pa.Table,
    image_ids: NDArray[np.int64] | Sequence[int],
    *,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Confidence intervals of a metric's values, as far as they can be measured on half the images.

    Args:
        metric: what made the match table.
        matches: the match table, rows in any order.
        image_ids: (I,), the images that were evaluated, in any order, each once; those without a
            row count too.
        level: the share of such intervals that shall contain the population's value.
        replicates: halves of the images to evaluate, in pairs.
        seed: for drawing them.

    Returns:
        Value name to interval. Values without anything to measure, on all images or on most of the
        halves, are left out.

    Raises:
        UsageError: ``level`` or ``replicates`` is out of range.
        InputError: there are less than two images.
        ContractError: an image is named twice, or one of the table is not named.
    """
    pairs = pairs_of(replicates, level)
    found = {}
    for name, each in evaluate_halves(metric, matches, np.asarray(image_ids), pairs, seed).items():
        measured = each.measured
        if measured is None:
            continue
        low, high = bounds(measured, level)
        found[name] = Interval(name, each.value, low, high, level, METHOD, 2 * pairs, seed)
    return found


def pairs_of(replicates: int, level: float) -> int:
    """The pairs of halves that so many replicates are. Raises ``UsageError``."""
    if not 0 < level < 1:
        raise UsageError(f"the level of a confidence interval is between 0 and 1, not {level}")
    if replicates < 4:
        raise UsageError(f"intervals need at least 4 replicates, not {replicates}")
    return (replicates + 1) // 2


def bounds(measured: Replicates, level: float) -> tuple[float, float]:
    """The interval of a value, corrected for its bias.

    A value that lies between 0 and 1 on every half is taken for a share, and so are the bounds.
    """
    reach = NormalDist().inv_cdf((1 + level) / 2) * measured.standard_error
    middle = measured.value - measured.bias
    low, high = middle - reach, middle + reach
    if measured.halves.min() >= 0 and measured.halves.max() <= 1:
        low, high = (min(max(bound, 0.0), 1.0) for bound in (low, high))
    return low, high
