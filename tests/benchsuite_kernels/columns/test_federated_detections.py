"""Choosing detections by federated rules: by hand, and the C++ kernel against the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite_kernels.columns import federated_detections_reference as reference
from benchsuite_kernels.columns.federated_detections import LookedFor, federated_detections
from benchsuite_kernels.dispatch import native

ODD_IDS = [-(2**63), -5, 0, 3, 4, 2**40, 2**63 - 1]


def looked_for(
    images: list[int], categories: list[int], lists: list[list[tuple[int, bool]] | None]
) -> LookedFor:
    """``lists``: an image's categories and whether they are exhaustive; ``None``: everything."""
    listed = [sorted(each or ()) for each in lists]
    return LookedFor(
        image_ids=np.array(images, np.int64),
        category_ids=np.array(categories, np.int64),
        starts=np.cumsum([0, *map(len, listed)]).astype(np.int64),
        listed=np.array([categories.index(c) for each in listed for c, _ in each], np.int64),
        exhaustive=np.array([flag for each in listed for _, flag in each], np.bool_),
        everything=np.array([each is None for each in lists], np.bool_),
    )


def choose(
    rows: list[tuple[int, int, float]], known: LookedFor, most: int = 300, threads: int = 1
) -> Any:
    images, categories, scores = zip(*rows) if rows else ((), (), ())
    return federated_detections(
        np.array(images, np.int64),
        np.array(categories, np.int64),
        np.array(scores, np.float64),
        known,
        most=most,
        threads=threads,
    )


def test_only_categories_that_were_looked_for() -> None:
    known = looked_for([7, 9], [1, 2, 3], [[(1, True), (3, False)], None])
    found = choose([(7, 1, 0.5), (7, 2, 0.5), (9, 2, 0.5), (7, 3, 0.5)], known)
    assert found.rows.tolist() == [0, 2, 3]
    assert found.groups.tolist() == [0, 3, 4]
    assert found.not_exhaustive.tolist() == [False, False, True]
    assert (found.unknown_image, found.unknown_category) == (-1, -1)


def test_the_best_of_an_image_count_whatever_their_category() -> None:
    known = looked_for([1, 2], [1, 2], [[(1, True)], [(1, True)]])
    rows = [(1, 1, 0.1), (1, 2, 0.9), (1, 2, 0.8), (1, 1, 0.8), (2, 1, 0.0)]
    # Equal scores: the earlier in the file.
    assert choose(rows, known, most=2).rows.tolist() == [4]
    assert choose(rows, known, most=3).rows.tolist() == [3, 4]
    assert choose(rows, known, most=4).rows.tolist() == [0, 3, 4]


def test_what_is_unknown_is_named_and_does_not_count() -> None:
    known = looked_for([1], [1], [[(1, True)]])
    found = choose([(1, 1, 0.1), (1, 5, 0.9), (3, 1, 0.5), (3, 5, 0.5)], known)
    assert found.rows.tolist() == [0]
    assert (found.unknown_image, found.unknown_category) == (2, 1)
    # An unknown category takes the place of another among the best.
    assert choose([(1, 1, 0.1), (1, 5, 0.9)], known, most=1).rows.tolist() == []


def test_nan_goes_where_python_sorts_it() -> None:
    nan = float("nan")
    scores = [0.3, nan, 0.9, 0.5, nan, 0.7]
    known = looked_for([1], [1], [[(1, True)]])
    kept = sorted(range(6), key=scores.__getitem__, reverse=True)[:3]
    found = choose([(1, 1, score) for score in scores], known, most=3)
    assert found.rows.tolist() == sorted(kept)


def test_wrong_arrays() -> None:
    known = looked_for([1, 2], [1], [[(1, True)], []])
    if native() is None:
        pytest.skip("the reference takes any array")
    with pytest.raises(TypeError):
        federated_detections(
            np.zeros(1, np.int32), np.zeros(1, np.int64), np.zeros(1), known, most=1, threads=1
        )
    with pytest.raises(ValueError, match=r"scores|image_ids"):
        federated_detections(
            np.zeros(2, np.int64), np.zeros(1, np.int64), np.zeros(1), known, most=1, threads=1
        )
    for broken in (
        looked_for([2, 1], [1], [[], []]),
        LookedFor(**{**_fields(known), "starts": np.array([0, 2, 1])}),
        LookedFor(**{**_fields(known), "listed": np.array([1])}),
    ):
        with pytest.raises(ValueError, match=r"ascend|outside|starts"):
            choose([(1, 1, 0.5)], broken)


def _fields(known: LookedFor) -> dict[str, Any]:
    return {name: getattr(known, name) for name in LookedFor.__slots__}


ids = st.sampled_from(ODD_IDS)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[tuple[int, int, float]], LookedFor]:
    images = sorted(draw(st.sets(ids)))
    categories = sorted(draw(st.sets(ids)))
    of_image = st.none()
    if categories:
        pairs = st.dictionaries(st.sampled_from(categories), st.booleans())
        of_image = st.none() | pairs.map(lambda found: list(found.items()))
    lists = draw(st.lists(of_image, min_size=len(images), max_size=len(images)))
    scores = st.sampled_from([0.0, -0.0, 0.25, 0.5, 1.0, float("inf"), float("-inf")])
    rows = draw(st.lists(st.tuples(ids, ids, scores), max_size=40))
    return rows, looked_for(images, categories, lists)


@pytest.mark.skipif(native() is None, reason="the C++ kernels are not built")
@given(case=cases(), most=st.integers(0, 6), threads=st.integers(1, 3))
@settings(deadline=None)
def test_kernel_and_reference_agree(
    case: tuple[list[tuple[int, int, float]], LookedFor], most: int, threads: int
) -> None:
    rows, known = case
    found = choose(rows, known, most, threads)
    columns = [np.array(column) for column in zip(*rows)] or [np.zeros(0, np.int64)] * 3
    expected = reference.federated_detections(
        columns[0].astype(np.int64),
        columns[1].astype(np.int64),
        columns[2].astype(np.float64),
        *_fields(known).values(),
        most,
    )
    for name, wanted in zip(type(found).__slots__, expected):
        assert np.array_equal(getattr(found, name), wanted), name


@pytest.mark.skipif(native() is None, reason="the C++ kernels are not built")
def test_many_rows_on_many_threads() -> None:
    random = np.random.default_rng(0)
    count = 200_000
    known = looked_for(
        list(range(0, 4000, 2)),
        list(range(100, 400)),
        [[(c, bool(c % 3)) for c in range(100 + i % 7, 400, 11)] for i in range(2000)],
    )
    arguments = (
        random.integers(-5, 4100, count),
        random.integers(90, 420, count),
        random.integers(0, 50, count) / 50,
    )
    expected = reference.federated_detections(*arguments, *_fields(known).values(), 40)
    for threads in (1, 4):
        found = federated_detections(*arguments, known, most=40, threads=threads)
        for name, wanted in zip(type(found).__slots__, expected):
            assert np.array_equal(getattr(found, name), wanted), name
