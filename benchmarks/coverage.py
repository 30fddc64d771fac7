"""How many of the 95% confidence intervals contain the value of the population of images.

    python benchmarks/coverage.py --json FILE      2,000 draws of each case; some twenty minutes
    python benchmarks/coverage.py --bootstrap      beside the usual bootstrap intervals, slower

Images, objects and two models' detections are drawn from a distribution of which any number of
images can be had. Its AP is that of a million images. A draw is a few hundred images, of which
``benchsuite.intervals`` gives intervals of each model's AP, AP50 and AR and of the models'
differences.

The distribution: images differ in difficulty, which all their objects share; a category's objects
come in clumps; categories differ in how many and how hard they are. An object found badly is a
false positive, and there are others where there is no object. The two models see the same
difficulties, and the second is a little better.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy
from benchsuite.intervals import compare, intervals
from benchsuite_plugins.metrics.coco_ap import bbox
from benchsuite_plugins.metrics.coco_protocol import detection_protocol
from benchsuite_plugins.metrics.match_table import MatchHeader

LEVEL = 0.95
VALUES = ("AP", "AP50", "AR100")
POPULATION_IMAGES, POPULATION_PARTS = 250_000, 4
BETTER = 0.1  # by how much the second model's detections are better
GROUPS = 50  # of images, for the acceleration of BCa

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """One distribution, and how many images are drawn of it.

    Attributes:
        images: of a draw.
        categories: their number.
        most, least: objects an image of the most and the least frequent category.
    """

    name: str
    images: int
    categories: int
    most: float
    least: float


CASES = (
    Case("300_images_20_categories", 300, 20, 1.5, 0.1),
    Case("500_images_40_categories", 500, 40, 1.5, 0.05),
    Case("300_images_rare_categories", 300, 40, 1.5, 0.02),
)
"""The rarest category has 30, 25 and 6 objects in a draw."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: case/model/value/method; the model is ``a``, ``b`` or ``difference``.
        coverage: share of the intervals that contain the population's value.
        below, above: share of those that lie below it, and above.
        width: mean width of the intervals.
        population: the population's value.
        bias: mean of the draws' values less the population's.
        draws: their number.
    """

    name: str
    coverage: float
    below: float
    above: float
    width: float
    population: float
    bias: float
    draws: int


# --- the distribution -------------------------------------------------------------------------


def header(case: Case) -> MatchHeader:
    """COCO's protocol for boxes, of all areas together."""
    protocol = detection_protocol("bbox")
    protocol = replace(
        protocol,
        areas=("all",),
        area_ranges=protocol.area_ranges[:1],
        max_detections=protocol.max_detections[-1:],
        values=tuple(value for value in protocol.values if value.name in VALUES),
    )
    return MatchHeader(protocol, tuple(range(case.categories)), "simulated")


def draw(case: Case, images: int, generator: np.random.Generator) -> list[pa.Table]:
    """Both models' match tables of so many images, numbered from 0."""
    frequency = np.geomspace(case.most, case.least, case.categories)
    difficulty = generator.normal(size=images)
    clumps = generator.gamma(1.0, 1.0, (images, case.categories))
    truths = _repeated(generator.poisson(frequency * clumps))
    ease = np.linspace(1.2, -0.6, case.categories)[truths[1]] - 0.6 * difficulty[truths[0]]
    ease += 0.9 * generator.normal(size=len(ease))
    nothing = np.clip(1.2 * frequency, 0.05, None) * np.exp(0.4 * difficulty)[:, None]
    tables = []
    for better in (0.0, BETTER):
        quality = ease + better + 0.6 * generator.normal(size=len(ease))
        matched = np.clip(np.ceil(4 + 2.5 * quality), 0, 10).astype(np.int64)
        seen = (matched > 0) | (generator.random(len(ease)) < 0.6)
        wrong = _repeated(generator.poisson(nothing))
        sure = [
            0.9 * quality[seen] + 0.8 * generator.normal(size=seen.sum()) + 0.3,
            generator.normal(size=len(wrong[0])) - 1 + 0.3 * difficulty[wrong[0]],
        ]
        detections = np.concatenate([truths[:, seen], wrong], axis=1)
        matched = np.concatenate([matched[seen], np.zeros(len(wrong[0]), np.int64)])
        scores = 1 / (1 + np.exp(-np.concatenate(sure)))
        tables.append(_table(case, truths, detections, matched, scores))
    return tables


def _repeated(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(2, N) image and category of each of the (images, categories) counted objects."""
    places = np.stack(np.nonzero(counts))
    return np.repeat(places, counts[tuple(places)], axis=1)


def _table(
    case: Case,
    truths: NDArray[np.int64],
    detections: NDArray[np.int64],
    matched: NDArray[np.int64],
    scores: Floats,
) -> pa.Table:
    """The match table of (2, G) truths and (2, N) detections that match at so many thresholds."""
    order = np.lexsort((-scores, *detections))
    detections, matched, scores = detections[:, order], matched[order], scores[order]
    groups = detections[1] * (detections[0].max(initial=0) + 1) + detections[0]
    ranks = np.arange(len(groups)) - np.searchsorted(groups, groups)
    rows = np.concatenate([detections, truths], axis=1)
    is_truth = np.arange(rows.shape[1]) >= len(scores)
    padding = (0, truths.shape[1])
    bits = np.pad((1 << matched) - 1, padding).astype(np.uint16)
    columns = [
        from_numpy(rows[0]),
        from_numpy(rows[1]),
        from_numpy(is_truth),
        from_numpy(np.arange(len(is_truth))),
        from_numpy(np.pad(ranks, padding).astype(np.int32), ~is_truth),
        from_numpy(np.pad(scores, padding), ~is_truth),
        from_numpy(bits),
        from_numpy(np.zeros_like(bits)),
    ]
    return pa.Table.from_arrays(columns, schema=header(case).schema())


def population(case: Case, images: int = POPULATION_IMAGES, seed: int = 0) -> Floats:
    """(3, V) the values of both models and of their difference."""
    parts = []
    for part in range(POPULATION_PARTS):
        tables = draw(case, images, np.random.default_rng([seed, part]))
        parts.append([[bbox().accumulate(table).metrics[v] for v in VALUES] for table in tables])
    a, b = np.mean(parts, axis=0)
    return np.stack([a, b, b - a])


# --- intervals --------------------------------------------------------------------------------


def our_intervals(
    case: Case, tables: list[pa.Table], replicates: int, seed: int
) -> tuple[Floats, Floats]:
    """(3, V) values and (3, V, 2) bounds, as ``benchsuite.intervals`` has them."""
    images = np.arange(case.images)
    settings: dict[str, Any] = {"level": LEVEL, "replicates": replicates, "seed": seed}
    a, b = (intervals(bbox(), table, images, **settings) for table in tables)
    difference = compare(bbox(), tables[0], tables[1], images, **settings)
    values = [[of[v].value for v in VALUES] for of in (a, b)]
    values.append([difference[v].value for v in VALUES])
    bounds = [[(of[v].low, of[v].high) for v in VALUES] for of in (a, b, difference)]
    return np.array(values), np.array(bounds)


def bootstrap_intervals(
    case: Case, tables: list[pa.Table], replicates: int, seed: int
) -> dict[str, Floats]:
    """(3, V, 2) bounds of each of the usual bootstrap's intervals."""
    generator = np.random.default_rng(seed)
    images = np.arange(case.images)
    drawn = generator.integers(case.images, size=(replicates, case.images))
    counts = [np.bincount(row, minlength=case.images) for row in drawn]
    groups = generator.permutation(case.images) % GROUPS
    left_out = [groups != group for group in range(GROUPS)]
    weights = np.array([np.ones(case.images), *counts, *left_out], np.float64)
    values = [bbox().resample(table, images, weights) for table in tables]
    found: dict[str, list[Any]] = {}
    a, b = (np.stack([of[v] for v in VALUES]) for of in values)
    for of_values in (a, b, b - a):
        rows: dict[str, list[Any]] = {}
        for of_value in of_values:
            point, again, without = np.split(of_value, [1, 1 + replicates])
            for method, bounds in _bootstrap_bounds(float(point[0]), again, without).items():
                rows.setdefault(method, []).append(bounds)
        for method, of_method in rows.items():
            found.setdefault(method, []).append(of_method)
    return {method: np.array(of_method) for method, of_method in found.items()}


def _bootstrap_bounds(point: float, again: Floats, without: Floats) -> dict[str, Any]:
    """Bounds by method; Efron and Tibshirani, An introduction to the bootstrap, 1993."""
    normal = NormalDist()
    tails = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    reach = np.array([normal.inv_cdf(tail) for tail in tails])
    low, high = np.quantile(again, tails)
    below = (np.sum(again < point) + np.sum(again == point) / 2 + 0.5) / (len(again) + 1)
    shift = normal.inv_cdf(float(below))
    apart = without.mean() - without
    acceleration = np.sum(apart**3) / (6 * np.sum(apart**2) ** 1.5)
    accelerated = shift + (shift + reach) / (1 - acceleration * (shift + reach))
    return {
        "percentile": (low, high),
        "basic": (2 * point - high, 2 * point - low),
        "bc": np.quantile(again, [normal.cdf(each) for each in 2 * shift + reach]),
        "bca": np.quantile(again, [normal.cdf(each) for each in accelerated]),
    }


# --- the table --------------------------------------------------------------------------------


def simulate(
    case: Case,
    draws: int,
    replicates: int,
    *,
    bootstrap: bool = False,
    population_images: int = POPULATION_IMAGES,
    seed: int = 1,
) -> Iterator[Row]:
    """The coverage of each interval over so many draws."""
    truth = population(case, population_images)
    found: dict[str, list[Floats]] = {}
    values = []
    for number in range(draws):
        tables = draw(case, case.images, np.random.default_rng([seed, 1000 + number]))
        of_draw, bounds = our_intervals(case, tables, replicates, number)
        values.append(of_draw)
        found.setdefault("ours", []).append(bounds)
        if bootstrap:
            for method, bounds in bootstrap_intervals(case, tables, replicates, number).items():
                found.setdefault(method, []).append(bounds)
    bias = np.mean(values, axis=0) - truth
    for method, bounds_ in found.items():
        low, high = np.moveaxis(np.array(bounds_), -1, 0)
        below, above = (high < truth).mean(axis=0), (low > truth).mean(axis=0)
        for m, model in enumerate(("a", "b", "difference")):
            for v, value in enumerate(VALUES):
                yield Row(
                    name=f"{case.name}/{model}/{value}/{method}",
                    coverage=float(1 - below[m, v] - above[m, v]),
                    below=float(below[m, v]),
                    above=float(above[m, v]),
                    width=float((high - low)[:, m, v].mean()),
                    population=float(truth[m, v]),
                    bias=float(bias[m, v]),
                    draws=draws,
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="also write the table there")
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--bootstrap", action="store_true", help="the usual intervals too")
    arguments = parser.parse_args()
    rows = []
    print(f"{'case/model/value/method':55} {'coverage':>8} {'below':>6} {'above':>6} {'width':>7}")
    for case in CASES:
        if arguments.only not in case.name:
            continue
        found = simulate(case, arguments.draws, arguments.replicates, bootstrap=arguments.bootstrap)
        for row in found:
            rows.append(asdict(row))
            print(
                f"{row.name:55} {row.coverage:8.1%} {row.below:6.1%} {row.above:6.1%}"
                f" {row.width:7.4f}",
                flush=True,
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
