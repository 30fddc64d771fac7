"""Factors of the learning rate at single steps, computed by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.training.optimization.schedule import learning_rate_factor
from benchsuite.training.options import ScheduleOptions

COCO_1X = ScheduleOptions(steps=(60000, 80000))


@pytest.mark.parametrize(
    ("step", "factor"),
    [
        (0, 0.001),
        (1, 0.001 + 0.999 / 1000),
        (500, 0.5005),
        (999, 0.001 + 0.999 * 0.999),
        (1000, 1.0),
        (59999, 1.0),
        (60000, 0.1),
        (79999, 0.1),
        (80000, 0.01),
        (89999, 0.01),
    ],
)
def test_of_coco_1x(step: int, factor: float) -> None:
    assert learning_rate_factor(step, 90000, COCO_1X) == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize(("step", "factor"), [(0, 0.25), (9, 0.25), (10, 1.0)])
def test_a_constant_warmup(step: int, factor: float) -> None:
    options = ScheduleOptions(warmup="constant", warmup_iters=10, warmup_factor=0.25)
    assert learning_rate_factor(step, 100, options) == factor


@pytest.mark.parametrize(
    ("step", "factor"),
    [(0, 0.001), (1, 0.001 + 0.999 / 124.999), (124, 0.001 + 0.999 * 124 / 124.999), (125, 1.0)],
)
def test_a_warmup_of_no_whole_number(step: int, factor: float) -> None:
    options = ScheduleOptions(warmup_iters=124.999, steps=(81944, 88773))
    assert learning_rate_factor(step, 92187, options) == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize(
    ("step", "factor"),
    # cos(pi / 10) is 0.9510565.
    [(0, 0.0), (5, 0.4889877), (10, 0.1 + 0.45 * 1.9510565), (50, 0.55), (100, 0.1)],
)
def test_a_cosine_is_met_where_the_warmup_ends(step: int, factor: float) -> None:
    options = ScheduleOptions("cosine", end_factor=0.1, warmup_iters=10, warmup_factor=0.0)
    assert learning_rate_factor(step, 100, options) == pytest.approx(factor, abs=1e-7)


def test_a_training_shorter_than_its_warmup() -> None:
    options = ScheduleOptions(warmup_iters=1000, warmup_factor=0.1)
    assert learning_rate_factor(50, 100, options) == pytest.approx(0.55)


def test_constant_and_without_a_warmup() -> None:
    options = ScheduleOptions("constant", warmup_iters=0)
    assert {learning_rate_factor(step, 10, options) for step in range(10)} == {1.0}


@given(
    iterations=st.integers(2, 300),
    steps=st.sets(st.integers(1, 400), max_size=4).map(sorted),
    gamma=st.floats(0.01, 1),
)
def test_steps_are_those_of_torch(iterations: int, steps: list[int], gamma: float) -> None:
    options = ScheduleOptions(steps=tuple(steps), gamma=gamma, warmup_iters=0)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.MultiStepLR(optimizer, steps, gamma)
    for step in range(iterations):
        factor = learning_rate_factor(step, iterations, options)
        assert factor == pytest.approx(theirs.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        theirs.step()


@given(iterations=st.integers(1, 200), end=st.floats(0, 1))
def test_the_cosine_is_that_of_torch(iterations: int, end: float) -> None:
    options = ScheduleOptions("cosine", end_factor=end, warmup_iters=0)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations, end)
    for step in range(iterations):
        factor = learning_rate_factor(step, iterations, options)
        assert factor == pytest.approx(theirs.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        theirs.step()
