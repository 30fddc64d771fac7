"""Latency along a run."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from benchsuite import schemas
from benchsuite.report.latency import histogram, latencies, stretches


def test_latency_is_everything_but_loading() -> None:
    rows = [
        {"image_id": 1, "batch": 0, "batch_size": 1, "load_ms": 100.0, "preprocess_ms": 1.0,
         "model_ms": 20.0, "postprocess_ms": 3.0},
        {"image_id": 2, "batch": 1, "batch_size": 1, "load_ms": 100.0, "preprocess_ms": None,
         "model_ms": 25.0, "postprocess_ms": None},
    ]  # fmt: skip
    samples = pa.Table.from_pylist(rows, schema=schemas.SAMPLES)
    assert latencies(samples).tolist() == [24.0, 25.0]


def test_a_short_run_has_a_stretch_an_image() -> None:
    along = stretches(np.array([5.0, 7.0, 6.0]))
    assert along.images == 1
    assert along.start.tolist() == [1, 2, 3]
    assert along.p5.tolist() == along.p50.tolist() == along.p95.tolist() == [5.0, 7.0, 6.0]


def test_a_long_run_is_cut_into_at_most_sixty_stretches() -> None:
    latency = np.concatenate([np.full(3000, 10.0), np.full(1999, 30.0)])
    along = stretches(latency)
    assert len(along.start) <= 60
    assert along.p50[0] == 10.0
    assert along.p50[-1] == 30.0
    assert along.start[1] == along.images + 1


def test_a_histogram_counts_every_image() -> None:
    latency = np.random.default_rng(0).gamma(50, 1, 1000)
    latency[3] = 10_000.0
    spread = histogram(latency)
    assert spread.counts.sum() == 1000
    assert spread.beyond >= 1
    assert spread.edges[-1] < 1000
    assert len(spread.edges) == len(spread.counts) + 1


def test_equal_latencies_have_a_histogram_too() -> None:
    for level in (0.0, 20.0):
        spread = histogram(np.full(50, level))
        assert spread.counts.sum() == 50
        assert (np.diff(spread.edges) > 0).all()
