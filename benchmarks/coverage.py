"""How many of the 95% confidence intervals contain the value of the population of images.

    python benchmarks/coverage.py --json FILE      2,000 draws of each case; some twenty minutes
    python benchmarks/coverage.py --bootstrap      beside the usual bootstrap intervals, slower
    pytest benchmarks/coverage.py                  how long the intervals of one draw take

Images, objects and two models' detections are drawn from a distribution of which any number of
images can be had (``coverage_cases/distribution.py``). Its AP is that of a million images. A draw
is a few hundred images, of which ``benchsuite.intervals`` gives intervals of each model's AP, AP50
and AR and of the models' differences.

A row is named case/model/value/method; the model is ``a``, ``b`` or ``difference``. What it tells
is ``coverage``, the share of the intervals that contain the population's value; its seconds are
those of all intervals of a draw, and those of a bootstrap method stand beside ours.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from coverage_cases.distribution import (
    CASES,
    POPULATION_IMAGES,
    VALUES,
    Case,
    Floats,
    draw,
    population,
)
from coverage_cases.methods import bootstrap_intervals, our_intervals
from measuring.interleaved import compare
from measuring.rows import Row
from measuring.script import Script
from measuring.sides import OURS, Sample, Side, side_of
from measuring.suite import Suite
from measuring.table import Column

REPLICATES = 400
BOOTSTRAP = "bootstrap"
Result = TypeVar("Result")


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
    taken: dict[str, list[Sample]] = {}
    found: dict[str, list[Floats]] = {}
    values = []
    for number in range(draws):
        tables = draw(case, case.images, np.random.default_rng([seed, 1000 + number]))
        of_draw, bounds = _timed(taken, OURS, our_intervals, case, tables, replicates, number)
        values.append(of_draw)
        found.setdefault(OURS, []).append(bounds)
        if bootstrap:
            by_method = _timed(
                taken, BOOTSTRAP, bootstrap_intervals, case, tables, replicates, number
            )
            for method, bounds in by_method.items():
                found.setdefault(method, []).append(bounds)
    bias = np.mean(values, axis=0) - truth
    for method, bounds_ in found.items():
        low, high = np.moveaxis(np.array(bounds_), -1, 0)
        below, above = (high < truth).mean(axis=0), (low > truth).mean(axis=0)
        sides = {side: taken[side] for side in (OURS, BOOTSTRAP)[: 1 + (method != OURS)]}
        for m, model in enumerate(("a", "b", "difference")):
            for v, value in enumerate(VALUES):
                (row,) = compare(f"{case.name}/{model}/{value}/{method}", 1, sides)
                more = {
                    "coverage": float(1 - below[m, v] - above[m, v]),
                    "below": float(below[m, v]),
                    "above": float(above[m, v]),
                    "width": float((high - low)[:, m, v].mean()),
                    "population": float(truth[m, v]),
                    "bias": float(bias[m, v]),
                    "draws": draws,
                }
                yield replace(row, more=more)


def _timed(
    taken: dict[str, list[Sample]], side: str, call: Callable[..., Result], *arguments: Any
) -> Result:
    start = time.perf_counter()
    result = call(*arguments)
    taken.setdefault(side, []).append(Sample(time.perf_counter() - start))
    return result


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--bootstrap", action="store_true", help="the usual intervals too")


def rows(name: str, threads: int, options: argparse.Namespace) -> Iterator[Row]:
    """Rounds are draws."""
    (case,) = (case for case in CASES if case.name == name)
    return simulate(case, options.rounds, options.replicates, bootstrap=options.bootstrap)


SCRIPT = Script(
    __doc__,
    tuple(case.name for case in CASES),
    rows,
    threads=(1,),
    rounds=2000,
    columns=(
        Column("coverage", "coverage", ".1%"),
        Column("below", "below", ".1%"),
        Column("above", "above", ".1%"),
        Column("width", "width", ".4f"),
    ),
    add_options=add_options,
)


@contextmanager
def opened(case: Case, threads: int) -> Iterator[Mapping[str, Side]]:
    """The intervals of one draw."""
    tables = draw(case, case.images, np.random.default_rng(0))
    yield {
        OURS: side_of(partial(our_intervals, case, tables, REPLICATES, 0)),
        BOOTSTRAP: side_of(partial(bootstrap_intervals, case, tables, REPLICATES, 0)),
    }


SUITE = Suite(__doc__, {case.name: partial(opened, case) for case in CASES}, threads=(1,), calls=3)

pytest_generate_tests, test_side = SUITE.tests()

if __name__ == "__main__":
    SCRIPT.main()
