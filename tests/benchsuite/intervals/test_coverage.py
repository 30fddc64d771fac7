"""The intervals' coverage, on few draws; ``benchmarks/coverage.py`` takes two thousand."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


def test_intervals_contain_the_population_s_value(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    spec = importlib.util.spec_from_file_location(
        "coverage_", repository / "benchmarks/coverage.py"
    )
    assert spec is not None and spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    case = benchmark.Case("smoke", images=150, categories=6, most=1.5, least=0.4)
    rows = list(benchmark.simulate(case, draws=200, replicates=100, population_images=10_000))
    assert len(rows) == 9
    for row in rows:
        # Of 200 draws at 95%, fewer than 179 or all of them hit in less than one case of 1000.
        assert 0.895 <= row.more["coverage"] <= 0.995, row
        assert 0.2 < row.more["population"] < 0.95 or "difference" in row.name
