"""How many threads evaluation uses."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest

from benchsuite_kernels.columns.match_groups import order_by_group
from benchsuite_kernels.threads import evaluation_threads, set_evaluation_threads


@pytest.fixture(autouse=True)
def default_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("BENCHSUITE_THREADS", raising=False)
    set_evaluation_threads(None)
    yield
    set_evaluation_threads(None)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_the_default_is_what_the_process_may_run_on() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert evaluation_threads() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert evaluation_threads() == len(allowed)


def test_the_variable_goes_before_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHSUITE_THREADS", " 37 ")
    assert evaluation_threads() == 37


def test_the_call_goes_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHSUITE_THREADS", "37")
    set_evaluation_threads(2)
    assert evaluation_threads() == 2
    set_evaluation_threads(None)
    assert evaluation_threads() == 37


@pytest.mark.parametrize("wanted", ["0", "-1", "many", "1.5", "²"])
def test_a_variable_that_is_no_number_is_an_error(
    monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setenv("BENCHSUITE_THREADS", wanted)
    with pytest.raises(ValueError, match="BENCHSUITE_THREADS="):
        evaluation_threads()


def test_fewer_than_one_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 is not a number of threads"):
        set_evaluation_threads(0)


def test_more_threads_than_can_begin_in_time() -> None:
    """Threads that begin after the work is done find nothing to do, and are not waited for."""
    groups = np.random.default_rng(0).integers(0, 500, 100_000)
    expected = np.argsort(groups, kind="stable")
    for _ in range(20):
        np.testing.assert_array_equal(order_by_group(groups, threads=64), expected)
