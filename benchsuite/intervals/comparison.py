"""Two models' values on the same images: how much they differ, and whether that means anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.errors import ContractError
from benchsuite.intervals.half_samples import Replicates, evaluate_halves
from benchsuite.intervals.interval import pairs_of
from benchsuite.protocols import Metric

METHOD = "paired half-sample bootstrap"


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much two models differ in one value, over the same images.

    Attributes:
        name: the value's name, as the metric has it.
        first, second: both models' values.
        value: the second's minus the first's.
        low, high: bounds of the difference in the population of images.
        p_value: how likely a difference this large, of either sign, would be among images of a
            population in which there is none.
        level: the share of such intervals that contain the population's difference.
        method: how they were found.
        replicates: halves of the images that were evaluated.
        seed: that they were drawn with.
    """

    name: str
    first: float
    second: float
    value: float
    low: float
    high: float
    p_value: float
    level: float
    method: str
    replicates: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


def compare(
    metric: Metric,
    matches_a: pa.Table,
    matches_b: pa.Table,
    image_ids: NDArray[np.int64] | Sequence[int],
    *,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, Difference]:
    """How two models differ in a metric's values.

    Both are evaluated on the same halves of the images, so that what makes a half hard for both
    cancels. Their biases cancel too, and are not corrected for.

    Args:
        metric: what made both match tables.
        matches_a, matches_b: the match tables, rows in any order.
        image_ids: (I,), the images that both models were evaluated on, in any order, each once;
            those without a row count too.
        level, replicates, seed: as for ``intervals``.

    Returns:
        Value name to difference. Values without anything to measure, on all images or on most of
        the halves, are left out.

    Raises:
        UsageError: ``level`` or ``replicates`` is out of range.
        InputError: there are less than two images.
        ContractError: an image is named twice, one of a table is not named, or the tables are of
            different protocols.
    """
    pairs = pairs_of(replicates, level)
    images = np.asarray(image_ids)
    of_a = evaluate_halves(metric, matches_a, images, pairs, seed)
    of_b = evaluate_halves(metric, matches_b, images, pairs, seed)
    if of_a.keys() != of_b.keys():
        raise ContractError("the match tables to compare were made by different protocols")
    found = {}
    for name in of_a:
        difference = _difference(of_a[name], of_b[name])
        if difference is None:
            continue
        error = difference.standard_error
        reach = NormalDist().inv_cdf((1 + level) / 2) * error
        found[name] = Difference(
            name,
            of_a[name].value,
            of_b[name].value,
            difference.value,
            difference.value - reach,
            difference.value + reach,
            _p_value(difference.value, error),
            level,
            METHOD,
            2 * pairs,
            seed,
        )
    return found


def _difference(a: Replicates, b: Replicates) -> Replicates | None:
    """The second minus the first, of the pairs in which both have something to measure."""
    both = Replicates(0.0, np.concatenate([a.halves, b.halves], axis=1))
    if a.measured is None or b.measured is None or both.measured is None:
        return None
    halves = both.measured.halves
    return Replicates(b.value - a.value, halves[:, 2:] - halves[:, :2])


def _p_value(difference: float, error: float) -> float:
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return 2 * NormalDist().cdf(-abs(difference) / error)
