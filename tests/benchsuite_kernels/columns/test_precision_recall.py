"""Order, precision and recall of match tables: the C++ kernels against the NumPy reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite_kernels.columns import match_order as match_order_module
from benchsuite_kernels.columns import precision_recall as precision_recall_module
from benchsuite_kernels.columns.match_order import MatchOrder, MatchRows, match_order
from benchsuite_kernels.columns.precision_recall import (
    CurveAxes,
    ImageWeights,
    PrecisionRecallArrays,
    precision_recall,
)
from benchsuite_kernels.dispatch import native

quick = settings(max_examples=150, deadline=None)

IDS = np.array([-4, 0, 3, 2**53 + 2])
SCORES = np.array([0.0, -0.0, 0.25, 0.5, 0.75, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e-300])


def table(
    generator: np.random.Generator, count: int, areas: int, thresholds: int, dtype: Any
) -> MatchRows:
    """Rows in no order, as any sequence of matchings might have left them."""
    every = (1 << thresholds) - 1
    is_truth = generator.random(count) < 0.3
    images, categories = generator.choice(IDS, count), generator.choice(IDS, count)
    keys = np.stack([images, categories, is_truth])
    ranks = np.array([(keys[:, :i] == keys[:, i : i + 1]).all(0).sum() for i in range(count)])

    def bits() -> Any:
        some = int(generator.integers(0, 2**63)) & every
        return np.array([0, 0, 1, some, every], dtype)[generator.integers(0, 5, count)]

    ignored = [bits() for _ in range(areas)]
    for column in ignored:
        column[is_truth] = np.where(generator.random(is_truth.sum()) < 0.7, 0, dtype(every))
    return MatchRows(
        images,
        categories,
        is_truth,
        ranks.astype(np.int32),
        np.where(generator.random(count) < 0.7, generator.choice(SCORES, count), ranks / 7),
        [bits() for _ in range(areas)],
        ignored,
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[MatchRows, CurveAxes]:
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    bits, dtype = draw(
        st.sampled_from([(8, np.uint8), (16, np.uint16), (32, np.uint32), (64, np.uint64)])
    )
    thresholds = draw(st.sampled_from([1, bits // 2, bits]))
    count, areas = draw(st.sampled_from([0, 1, 5, 40, 120])), draw(st.integers(0, 3))
    recalls = draw(
        st.sampled_from(
            [
                np.linspace(0, 1, 101),
                np.array([0.0, 1 / 3, 0.5, 2 / 3, 1.0]),
                np.array([0.5, 1.0, 0.25, 0.0]),
                np.array([0.0, -0.0, -1.0, 1e-320, 1e-18, np.nan, 0.1, np.inf, 1.5]),
                np.zeros(0),
            ]
        )
    )
    most = draw(st.sampled_from([(1, 2, 5), (100,), (0,), (), (1, 2, 3, 4, 5, 6)]))
    rows = table(generator, count, areas, thresholds, dtype)
    return rows, CurveAxes(thresholds, recalls, most)


WEIGHTS = st.one_of(
    st.none(),
    st.tuples(*[st.sampled_from([0.0, 1.0, 2.0, 3.0])] * len(IDS)),
    st.tuples(*[st.sampled_from([0.0, 0.1, 0.7, 1.0, 2.0, 2.5, 1e-9])] * len(IDS)),
)


def weights_of(values: tuple[float, ...] | None) -> ImageWeights | None:
    return None if values is None else ImageWeights(IDS[1:], np.array(values[1:]))


def both(
    rows: MatchRows,
    axes: CurveAxes,
    weights: ImageWeights | None,
    threads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[list[MatchOrder], list[PrecisionRecallArrays]]:
    """What reference and kernel make of the case."""
    extension = native()
    if extension is None:
        pytest.skip("the extension is not built")
    orders, arrays = [], []
    for serving in (None, extension):
        for module in (match_order_module, precision_recall_module):
            monkeypatch.setattr(module, "native", lambda serving=serving: serving)
        order = match_order(rows, IDS, threads=threads)
        orders.append(order)
        arrays.append(precision_recall(rows, order, axes, weights=weights, threads=threads))
    return orders, arrays


def assert_same(ours: Any, theirs: Any) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, other, strict=True)


@quick
@given(cases(), WEIGHTS, st.integers(1, 4))
def test_kernel_equals_reference(case: Any, weights: Any, threads: int) -> None:
    rows, axes = case
    with pytest.MonkeyPatch.context() as monkeypatch:
        orders, arrays = both(rows, axes, weights_of(weights), threads, monkeypatch)
    assert_same(*orders)
    assert_same(*arrays)


def test_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough of them for every thread and for the radix sort."""
    generator = np.random.default_rng(0)
    rows = table(generator, 2000, 2, 10, np.uint16)
    repeated = np.tile(np.arange(2000), 75)
    rows = MatchRows(
        np.repeat(np.arange(75), 2000) * 4 + rows.images[repeated] % 4,
        rows.categories[repeated],
        rows.is_truth[repeated],
        rows.ranks[repeated],
        np.where(generator.random(150_000) < 0.5, rows.scores[repeated], generator.random(150_000)),
        [bits[repeated] for bits in rows.matched],
        [bits[repeated] for bits in rows.ignored],
    )
    shuffled = generator.permutation(150_000)
    other = MatchRows(
        *(
            [bits[shuffled] for bits in column] if isinstance(column, list) else column[shuffled]
            for column in rows
        )
    )
    axes = CurveAxes(10, np.linspace(0, 1, 101), (1, 100))
    found = []
    for table_, threads in ((rows, 1), (rows, 4), (other, 3)):
        orders, arrays = both(table_, axes, None, threads, monkeypatch)
        assert_same(*orders)
        assert_same(*arrays)
        found.append(arrays[1])
    assert_same(found[0], found[1])
    assert found[0].precision.max() > 0


def test_by_hand() -> None:
    """Two truths; a hit, a miss, a detection that is ignored, a hit."""
    rows = MatchRows(
        images=np.array([1, 1, 1, 1, 1, 1]),
        categories=np.full(6, 5),
        is_truth=np.array([True, True, False, False, False, False]),
        ranks=np.array([0, 0, 0, 1, 2, 3], np.int32),
        scores=np.array([0, 0, 0.9, 0.8, 0.7, 0.6]),
        matched=[np.array([1, 1, 1, 0, 1, 1], np.uint8)],
        ignored=[np.array([0, 0, 0, 0, 1, 0], np.uint8)],
    )
    order = match_order(rows, np.array([4, 5]), threads=1)
    assert order.detection_starts.tolist() == [0, 0, 4]
    assert order.detections.tolist() == [2, 3, 4, 5]
    assert order.truths.tolist() == [0, 1]
    axes = CurveAxes(1, np.array([0.0, 0.5, 0.75, 1.0]), (1, 4))
    found = precision_recall(rows, order, axes, threads=1)
    assert found.precision.shape == (1, 4, 2, 1, 2)
    assert (found.precision[:, :, 0] == -1).all() and (found.recall[:, 0] == -1).all()
    np.testing.assert_allclose(found.precision[0, :, 1, 0, 0], [1, 1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(found.precision[0, :, 1, 0, 1], [1, 1, 2 / 3, 2 / 3], atol=1e-15)
    assert found.scores[0, :, 1, 0, 1].tolist() == [0.9, 0.9, 0.6, 0.6]
    assert found.recall[0, 1, 0].tolist() == [0.5, 1.0]


# --- what does not fit ----------------------------------------------------------------------------


@pytest.fixture
def small() -> tuple[MatchRows, MatchOrder]:
    rows = table(np.random.default_rng(1), 20, 1, 8, np.uint8)
    return rows, match_order(rows, IDS, threads=1)


AXES = CurveAxes(8, np.linspace(0, 1, 101), (100,))


def test_category_that_is_not_evaluated(small: tuple[MatchRows, MatchOrder]) -> None:
    with pytest.raises(ValueError, match=r"row \d+ is of category .*, which is not evaluated"):
        match_order(small[0], IDS[:1], threads=1)


def test_category_ids_that_do_not_ascend(small: tuple[MatchRows, MatchOrder]) -> None:
    with pytest.raises(ValueError, match="do not ascend"):
        match_order(small[0], IDS[::-1], threads=1)


@pytest.mark.skipif(native() is None, reason="the extension is not built")
@pytest.mark.parametrize(
    "change",
    [
        {"detections": np.array([20])},
        {"detections": np.array([-1])},
        {"detection_starts": np.array([0, 5])},
        {"truth_starts": np.array([0, 9, 3, 2, 1])},
    ],
)
def test_order_of_another_table(small: tuple[MatchRows, MatchOrder], change: Any) -> None:
    rows, order = small
    with pytest.raises(ValueError, match="the order's"):
        precision_recall(rows, order._replace(**change), AXES, threads=1)


@pytest.mark.skipif(native() is None, reason="the extension is not built")
def test_more_thresholds_than_bits(small: tuple[MatchRows, MatchOrder]) -> None:
    with pytest.raises(ValueError, match="more IoU thresholds than bits"):
        precision_recall(*small, AXES._replace(thresholds=9), threads=1)
