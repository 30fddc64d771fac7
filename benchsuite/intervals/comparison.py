"""Two models' values on the same images: how much they differ, and whether that means anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.errors import ContractError, InputError
from benchsuite.intervals.half_samples import Replicates, evaluate_halves
from benchsuite.intervals.interval import pairs_of
from benchsuite.protocols import Metric

METHOD = "paired half-sample bootstrap"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models' difference in one value, over the same images.

    Attributes:
        name: the value's name, as the metric has it.
        value_a, value_b: both models' values.
        difference: the second's minus the first's.
        low, high: bounds of the difference in the population of images.
        p_value: how likely a difference this large, of either sign, would be among images of a
            population in which there is none.
        level: the share of such intervals that contain the population's difference.
        method: how they were found.
        replicates: halves of the images that were evaluated.
        seed: that they were drawn with.
    """

    name: str
    value_a: float
    value_b: float
    difference: float
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
    image_ids_a: NDArray[np.int64] | Sequence[int],
    image_ids_b: NDArray[np.int64] | Sequence[int],
    *,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, Comparison]:
    """How two models differ in a metric's values.

    Both are evaluated on the same halves of the images, so that what makes a half hard for both
    cancels. Their biases cancel too, and are not corrected for.

    Args:
        metric: what made both match tables.
        matches_a, matches_b: the match tables, rows in any order.
        image_ids_a, image_ids_b: the images that each model was evaluated on, in any order, each
            once; those without a row count too.
        level, replicates, seed: as for ``intervals``.

    Returns:
        Value name to comparison. Values without anything to measure, on all images or on most of
        the halves, are left out.

    Raises:
        UsageError: ``level`` or ``replicates`` is out of range.
        InputError: the models were not evaluated on the same images, or on less than two.
        ContractError: an image is named twice, or one of a table is not named.
    """
    pairs = pairs_of(replicates, level)
    images_a, images_b = np.asarray(image_ids_a), np.asarray(image_ids_b)
    _require_same(images_a, images_b)
    of_a = evaluate_halves(metric, matches_a, images_a, pairs, seed)
    of_b = evaluate_halves(metric, matches_b, images_b, pairs, seed)
    if of_a.keys() != of_b.keys():
        raise ContractError("the match tables to compare were made by different protocols")
    found = {}
    for name in of_a:
        difference = _difference(of_a[name], of_b[name])
        if difference is None:
            continue
        error = difference.standard_error
        reach = NormalDist().inv_cdf((1 + level) / 2) * error
        found[name] = Comparison(
            name,
            of_a[name].value,
            of_b[name].value,
            difference.value,
            difference.value - reach,
            difference.value + reach,
            _p_value(difference.value, error),
            level,
            METHOD,
            difference.halves.size,
            seed,
        )
    return found


def _require_same(images_a: NDArray[np.int64], images_b: NDArray[np.int64]) -> None:
    only = np.setxor1d(images_a, images_b)
    if len(only):
        which = "first" if only[0] in images_a else "second"
        raise InputError(
            f"the two models were evaluated on different images: {len(only)} belong to one alone,"
            f" image {only[0]} to the {which}",
            remedy="Evaluate both on the same images, and compare again",
        )


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
