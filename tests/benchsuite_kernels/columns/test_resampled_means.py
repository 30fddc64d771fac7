"""Means under many weightings: the C++ kernel against the NumPy reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite_kernels.columns import resampled_means_reference
from benchsuite_kernels.columns.match_order import MatchRows, match_order
from benchsuite_kernels.columns.precision_recall import CurveAxes
from benchsuite_kernels.columns.resampled_means import CurveMean, resampled_means
from benchsuite_kernels.dispatch import native

pytestmark = pytest.mark.skipif(native() is None, reason="the extension is not built")

quick = settings(max_examples=100, deadline=None)

CATEGORIES = np.array([2, 5, 7])


def table(generator: np.random.Generator, count: int, thresholds: int) -> MatchRows:
    """Rows of images -1 to 4 with many ties, two area ranges."""
    every = (1 << thresholds) - 1
    is_truth = generator.random(count) < 0.3

    def bits(values: list[int]) -> Any:
        return generator.choice(values, count).astype(np.uint16)

    some = int(generator.integers(0, every + 1))
    ignored = [bits([0, 0, 0, 1, some, every]) for _ in range(2)]
    for column in ignored:
        column[is_truth] = np.where(generator.random(is_truth.sum()) < 0.7, 0, every)
    return MatchRows(
        images=generator.integers(-1, 5, count),
        categories=generator.choice(CATEGORIES, count),
        is_truth=is_truth,
        ranks=generator.integers(0, 4, count).astype(np.int32),
        scores=generator.choice([0.0, 0.25, 0.5, 0.75, np.nan, 1.0], count),
        matched=[bits([0, 0, 1, some, every]) for _ in range(2)],
        ignored=ignored,
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[MatchRows, CurveAxes, list[CurveMean]]:
    thresholds = draw(st.sampled_from([1, 3, 10, 16]))
    count = draw(st.sampled_from([0, 3, 30, 100]))
    rows = table(np.random.default_rng(draw(st.integers(0, 2**32))), count, thresholds)
    recalls = draw(st.sampled_from([np.linspace(0, 1, 101), np.array([0.5, 0.0, 1.0, 0.2])]))
    means = draw(
        st.lists(
            st.builds(
                CurveMean,
                st.booleans(),
                st.integers(0, 1),
                st.integers(0, 2),
                st.one_of(st.none(), st.integers(0, thresholds - 1)),
                st.one_of(
                    st.none(),
                    st.tuples(*[st.booleans()] * len(CATEGORIES)).map(
                        lambda chosen: np.array(chosen)
                    ),
                ),
            ),
            min_size=1,
            max_size=6,
        )
    )
    return rows, CurveAxes(thresholds, recalls, (1, 3, 100)), means


WHOLE = np.array([0.0, 0.0, 1.0, 1.0, 2.0, 3.0])
ANY = np.array([0.0, 0.1, 1.0, 2.0, 1 / 3, 2.5, 1e-9])


@quick
@given(cases(), st.integers(0, 2**32), st.integers(1, 4))
def test_kernel_equals_reference(case: Any, seed: int, threads: int) -> None:
    rows, axes, means = case
    generator = np.random.default_rng(seed)
    images = np.arange(5)
    weights = np.concatenate([generator.choice(choice, (4, 5)) for choice in (WHOLE, ANY)])
    order = match_order(rows, CATEGORIES, threads=1)
    ours = resampled_means(rows, order, axes, means, images, weights, threads=threads)
    theirs = resampled_means_reference.resampled_means(rows, order, axes, means, images, weights)
    np.testing.assert_array_equal(ours, theirs, strict=True)


def test_more_values_than_a_summation_block() -> None:
    generator = np.random.default_rng(0)
    rows = table(generator, 4000, 10)
    rows = rows._replace(categories=generator.integers(0, 20, 4000))
    order = match_order(rows, np.arange(20), threads=2)
    axes = CurveAxes(10, np.linspace(0, 1, 101), (100,))
    means = [CurveMean(False, 0, 0), CurveMean(False, 1, 0, 3), CurveMean(True, 0, 0)]
    weights = generator.integers(0, 3, (3, 5)).astype(np.float64)
    ours = resampled_means(rows, order, axes, means, np.arange(5), weights, threads=2)
    theirs = resampled_means_reference.resampled_means(
        rows, order, axes, means, np.arange(5), weights
    )
    np.testing.assert_array_equal(ours, theirs, strict=True)
    assert (ours > 0).all()


@pytest.mark.parametrize(
    "mean", [CurveMean(False, 2, 0), CurveMean(False, 0, 1), CurveMean(False, 0, 0, 3)]
)
def test_mean_of_what_is_not_there(mean: CurveMean) -> None:
    rows = table(np.random.default_rng(0), 5, 3)
    order = match_order(rows, CATEGORIES, threads=1)
    axes = CurveAxes(3, np.linspace(0, 1, 101), (100,))
    with pytest.raises(ValueError, match="not there"):
        resampled_means(rows, order, axes, [mean], np.arange(5), np.ones((1, 5)), threads=1)
