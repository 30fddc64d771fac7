"""Numbers of groups, both implementations."""

from __future__ import annotations

import numpy as np
import pytest

from benchsuite_kernels.columns import match_groups as module
from benchsuite_kernels.columns.match_groups import match_groups, order_by_group
from benchsuite_kernels.dispatch import native

LIMITS = np.iinfo(np.int64)


@pytest.fixture(params=["reference", "c++"], autouse=True)
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    extension = native()
    if request.param == "c++" and extension is None:
        pytest.skip("the extension is not built")
    monkeypatch.setattr(module, "native", lambda: extension if request.param == "c++" else None)
    return request.param


@pytest.mark.parametrize(
    "known",
    [np.array([3, 5, 9]), np.array([LIMITS.min, 0, LIMITS.max]), np.array([7]), np.array([], int)],
)
def test_groups_go_by_category_then_image(known: np.ndarray) -> None:
    random = np.random.default_rng(0)
    others = np.array([4, -1, 10, LIMITS.max - 1])
    images, categories = (random.choice(np.append(known, others), 100_000) for _ in range(2))
    image_of = {identity: place for place, identity in enumerate(known.tolist())}
    want = [
        image_of[c] * len(known) + image_of[i] if i in image_of and c in image_of else -1
        for i, c in zip(images.tolist(), categories.tolist())
    ]
    assert match_groups(images, categories, known, known, threads=3).tolist() == want
    of_one = match_groups(images, None, known, known[:0], threads=3)
    assert of_one.tolist() == [image_of.get(i, -1) for i in images.tolist()]


def test_ids_that_do_not_ascend_are_an_error() -> None:
    ids = np.array([1, 2])
    with pytest.raises(ValueError, match="category_ids do not ascend"):
        match_groups(ids, ids, ids, ids[::-1].copy(), threads=1)
    with pytest.raises(ValueError, match="categories is not a int64 array of shape"):
        match_groups(ids, ids[:1], ids, ids, threads=1)


@pytest.mark.parametrize("spread", [3, 1000, 2**60])
def test_rows_are_ordered_by_group_and_then_as_they_were(spread: int) -> None:
    groups = np.random.default_rng(1).integers(-spread, spread, 20_000)
    order = order_by_group(groups, threads=3)
    assert order.dtype == np.int64
    assert order.tolist() == sorted(range(len(groups)), key=groups.tolist().__getitem__)
    assert order_by_group(groups[:0], threads=3).tolist() == []
