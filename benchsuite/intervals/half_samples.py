"""A metric's values on random halves of the images.

The usual bootstrap draws as many images as there are, with replacement. For average precision it
fails: precision at a recall is the best at that recall or any higher one, a running maximum of
something noisy, and so AP is too high on few images. The images drawn twice do not show it: the
bootstrap's own bias is 0.4 of the real one, and percentile, basic, BC and BCa intervals contain the
population's value in 68 to 94 cases of a hundred instead of 95 (``benchmarks/coverage.py``). The
same is known of other estimators that are kept monotone (Sen, Banerjee and Woodroofe, Inconsistency
of bootstrap: the Grenander estimator, 2010).

Halves drawn without replacement are real samples, of half the size:

* The spread of their values is that of the values of whole samples: drawing half of a sample leaves
  out as much variance as halving the sample adds (Shao and Wu, A general theory for jackknife
  variance estimation, 1989; Politis and Romano, Large sample confidence regions based on
  subsamples under minimal assumptions, 1994).
* Their mean shows by how much the bias grows from the sample to its half, and so how large it is. A
  running maximum's bias falls as ``n ** (-2 / 3)``. For values without one (recall, PQ, IoU) the
  difference is nothing, and nothing is corrected.

Each half is evaluated together with the other half, which cancels most of the noise of drawing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import to_numpy
from benchsuite.errors import ContractError, InputError
from benchsuite.protocols import Metric, ResampledMetric

_Floats = NDArray[np.float64]
_Ids = NDArray[np.int64]

BIAS_PER_GROWTH = 1 / (2 ** (2 / 3) - 1)
"""A value's bias, over what is added to it by halving the sample."""

ABSENT = -1.0
"""What a metric's value is where there is nothing to measure."""

LEAST_IMAGES = 2

WEIGHTS_AT_ONCE = 2**22
"""Replicates times images that are evaluated in one go: 32 MiB of weights."""


@dataclass(frozen=True, slots=True)
class Replicates:
    """One value of a metric, on all images and on halves of them.

    Attributes:
        value: on all images.
        halves: (P, 2), on both halves of each pair.
    """

    value: float
    halves: _Floats

    @property
    def measured(self) -> Replicates | None:
        """Without the pairs that have nothing to measure in a half; ``None`` if too few are left.

        Too few: less than half of them, or less than two.
        """
        there = (self.halves != ABSENT).all(axis=1) & np.isfinite(self.halves).all(axis=1)
        if self.value == ABSENT or there.sum() < max(2, len(there) / 2):
            return None
        return Replicates(self.value, self.halves[there])

    @property
    def bias(self) -> float:
        """By how much the value is expected to exceed that of the population."""
        return BIAS_PER_GROWTH * (float(self.halves.mean()) - self.value)

    @property
    def standard_error(self) -> float:
        """The standard deviation of the value from sample to sample."""
        return float(self.halves.std(ddof=1))


def evaluate_halves(
    metric: Metric, matches: pa.Table, image_ids: _Ids, pairs: int, seed: int
) -> dict[str, Replicates]:
    """Each value of the metric on pairs of halves.

    The same images and seed give the same halves, whatever the order of rows and images.

    Args:
        metric: what made the match table.
        matches: the match table.
        image_ids: (I,), the images that were evaluated, those without a row included.
        pairs: how many times the images are halved.
        seed: for the drawing.

    Raises:
        InputError: there are less than two images.
        ContractError: an image is named twice, or one of the table is not named.
    """
    images = _checked(image_ids, matches)
    weightings = _weightings(len(images), pairs, np.random.default_rng(seed))
    chunks = [_evaluate(metric, matches, images, weights) for weights in weightings]
    found = {}
    for name in chunks[0]:
        values = np.concatenate([chunk[name] for chunk in chunks])
        found[name] = Replicates(float(values[0]), values[1:].reshape(pairs, 2))
    return found


def _checked(image_ids: _Ids, matches: pa.Table) -> _Ids:
    """The images' ids, ascending."""
    images = np.sort(np.asarray(image_ids, np.int64))
    if len(images) < LEAST_IMAGES:
        raise InputError(
            f"intervals need at least {LEAST_IMAGES} images, not {len(images)}",
            remedy="Evaluate more images, or do without intervals",
        )
    again = images[1:][images[1:] == images[:-1]]
    if len(again):
        raise ContractError(f"image {again[0]} is named twice among those that were evaluated")
    of_rows = to_numpy(matches["image_id"])
    stray = of_rows[~np.isin(of_rows, images)]
    if len(stray):
        raise ContractError(
            f"the match table has rows of image {stray[0]}, which is not among those that were"
            " evaluated"
        )
    return images


def _weightings(images: int, pairs: int, generator: np.random.Generator) -> Iterator[_Floats]:
    """Weights (R, I) in chunks: a row of ones, then halves, both of a pair in succession."""
    at_once = max(1, WEIGHTS_AT_ONCE // (2 * images))
    for first in range(0, pairs, at_once):
        weights = np.zeros((min(at_once, pairs - first), 2, images))
        for pair in weights:
            # Of an odd number of images, either half may be the smaller one.
            split = (images + int(generator.integers(2))) // 2
            pair[0, generator.permutation(images)[:split]] = 1
        weights[:, 1] = 1 - weights[:, 0]
        rows = weights.reshape(-1, images)
        yield rows if first else np.concatenate([np.ones((1, images)), rows])


def _evaluate(
    metric: Metric, matches: pa.Table, images: _Ids, weights: _Floats
) -> Mapping[str, _Floats]:
    """(R,) for each value."""
    if isinstance(metric, ResampledMetric):
        return metric.resample(matches, images, weights)
    rows = [
        metric.accumulate(matches, dict(zip(images[of_row > 0].tolist(), of_row[of_row > 0])))
        for of_row in weights
    ]
    return {name: np.array([row.metrics[name] for row in rows]) for name in rows[0].metrics}
