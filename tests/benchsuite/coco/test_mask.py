"""The drop-in ``mask`` module against pycocotools'."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as official

from benchsuite.coco import mask

SIZE = (6, 8)
stacks = hnp.arrays(
    np.uint8, st.tuples(st.just(6), st.just(8), st.integers(1, 4)), elements=st.integers(0, 1)
)
polygons = st.lists(st.floats(-20, 20, width=32), min_size=6, max_size=12).filter(
    lambda numbers: len(numbers) % 2 == 0
)


def same(ours: Any, theirs: Any) -> None:
    assert np.asarray(ours).dtype == np.asarray(theirs).dtype
    np.testing.assert_array_equal(ours, theirs)


@given(stacks)
@settings(deadline=None)
def test_masks_there_and_back(masks: np.ndarray) -> None:
    encoded = official.encode(np.asfortranarray(masks))
    assert mask.encode(masks) == encoded
    assert mask.encode(masks[:, :, 0]) == encoded[0]
    for given_rles in (encoded, encoded[0]):
        decoded = mask.decode(given_rles)
        same(decoded, official.decode(given_rles))
        assert decoded.flags.f_contiguous
        same(mask.area(given_rles), official.area(given_rles))
        same(mask.toBbox(given_rles), official.toBbox(given_rles))
    for intersect in (False, True):
        assert mask.merge(encoded, intersect) == official.merge(encoded, intersect)
    crowd = [place % 2 for place in range(len(encoded))]
    same(mask.iou(encoded, encoded, crowd), official.iou(encoded, encoded, crowd))


@given(st.lists(hnp.arrays(np.float64, 4, elements=st.integers(0, 9)), max_size=4))
def test_iou_of_boxes(boxes: list[np.ndarray]) -> None:
    lists = [box.tolist() for box in boxes]
    crowd = [True] * len(boxes)
    same(mask.iou(lists, lists, crowd), official.iou(lists, lists, crowd))
    same(mask.iou([tuple(box) for box in lists], boxes, crowd), official.iou(lists, lists, crowd))


@given(st.lists(polygons, min_size=1, max_size=3))
@settings(deadline=None)
def test_polygons(shapes: list[list[float]]) -> None:
    assert mask.frPyObjects(shapes, *SIZE) == official.frPyObjects(shapes, *SIZE)
    assert mask.union_of_polygons(shapes, *SIZE) == official.merge(
        official.frPyObjects(shapes, *SIZE)
    )


def test_other_shapes() -> None:
    boxes = np.array([[1, 1, 3, 2.5], [0, 0, 8, 6]])
    runs = {"size": [6, 8], "counts": [3, 4, 41]}
    for shapes in (boxes, runs, [runs, runs]):
        assert mask.frPyObjects(shapes, *SIZE) == official.frPyObjects(shapes, *SIZE)
    assert mask.frPyObjects(boxes.tolist(), *SIZE) == official.frPyObjects(boxes, *SIZE)
    assert (
        mask.frPyObjects([1, 1, 5, 1, 5, 4], *SIZE)
        == mask.frPyObjects([[1, 1, 5, 1, 5, 4]], *SIZE)[0]
    )


def test_nothing() -> None:
    same(mask.area([]), official.area([]))
    same(mask.toBbox([]), official.toBbox([]))
    assert mask.merge([]) == official.merge([])
    assert mask.iou([], [[0, 0, 1, 1]], [0]) == []
    assert mask.decode([]).shape == (0, 0, 0)


def test_masks_of_any_dtype_and_order() -> None:
    inside = np.random.default_rng(0).random(SIZE) < 0.5
    assert mask.encode(inside) == mask.encode(np.ascontiguousarray(inside, np.int64))


SHORT = {"size": [6, 8], "counts": "35"}
LONG = {"size": [6, 8], "counts": "3[<"}
GOOD = {"size": [6, 8], "counts": "34Y1"}


@pytest.mark.parametrize("bad", [SHORT, LONG], ids=["short", "long"])
def test_what_hangs_or_kills_pycocotools_is_an_error(bad: dict[str, Any]) -> None:
    for call in (
        lambda: mask.decode(bad),
        lambda: mask.toBbox(bad),
        lambda: mask.merge([GOOD, bad]),
        lambda: mask.iou([GOOD], [bad], [0]),
    ):
        with pytest.raises(ValueError, match="cover"):
            call()


def test_masks_of_several_sizes() -> None:
    other = {"size": [8, 6], "counts": "34Y1"}
    with pytest.raises(ValueError, match="different sizes"):
        mask.merge([GOOD, other])
    with pytest.raises(ValueError, match="different sizes"):
        mask.decode([GOOD, other])
    same(mask.iou([GOOD], [other], [0]), official.iou([GOOD], [other], [0]))
