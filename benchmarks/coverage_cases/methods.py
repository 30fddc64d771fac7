"""Intervals of a draw: ours, and the usual bootstrap's."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa

from benchsuite.intervals import compare, intervals
from benchsuite_plugins.metrics.coco_ap import bbox
from coverage_cases.distribution import VALUES, Case, Floats

LEVEL = 0.95
GROUPS = 50  # of images, for the acceleration of BCa


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
