"""Columns of federated annotation, from LVIS-like records."""

from __future__ import annotations

from typing import Any

import pytest

from benchsuite.columns.truth import TruthColumns, build_truth
from benchsuite.errors import InputError


def image(image_id: int, **fields: Any) -> dict[str, Any]:
    return {"id": image_id, "width": 20, "height": 10, **fields}


CATEGORIES = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]


def test_an_empty_list_is_not_a_missing_one() -> None:
    images = [
        image(7, neg_category_ids=[], not_exhaustive_category_ids=[2]),
        image(3, neg_category_ids=[2, 1]),
    ]
    found = build_truth(images, [], CATEGORIES).images
    assert found["image_id"].to_pylist() == [3, 7]
    assert found["negative_category_ids"].to_pylist() == [[2, 1], []]
    assert found["not_exhaustive_category_ids"].to_pylist() == [None, [2]]


def test_where_every_category_was_looked_for() -> None:
    found = build_truth([image(1)], [], CATEGORIES).images
    assert found["negative_category_ids"].to_pylist() == [None]
    assert found["not_exhaustive_category_ids"].to_pylist() == [None]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (5, "the field 'neg_category_ids' is a number (5), not a list of ids"),
        ([1, "2"], "the field 'neg_category_ids' holds a value that is a string ('2'), not an int"),
    ],
)
def test_lists_that_are_wrong(value: Any, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        build_truth([image(4, neg_category_ids=value)], [], CATEGORIES, source="t.json")
    assert str(caught.value).startswith(f"t.json, images[0] (id 4): {problem}")


def test_frequencies() -> None:
    stated = ["r", "f", None, 12, "often"]
    categories = [
        {"id": number, "name": str(number), "frequency": value}
        for number, value in enumerate(stated)
    ]
    truth = build_truth([], [], categories)
    assert [category.frequency for category in truth.categories] == ["r", "f", "", "", ""]


URL = "http://images.cocodataset.org/val2017/000000000007.jpg"


@pytest.mark.parametrize(
    ("fields", "named_by", "name"),
    [
        ({"coco_url": URL}, "file_name", "val2017/000000000007.jpg"),
        ({"coco_url": URL, "file_name": "a.jpg"}, "file_name", "a.jpg"),
        ({"coco_url": URL, "file_name": "a.jpg"}, "coco_url", "val2017/000000000007.jpg"),
        ({"file_name": "a/b/c.jpg"}, "coco_url", "a/b/c.jpg"),
        ({}, "coco_url", ""),
    ],
)
def test_where_an_image_lies(fields: dict[str, str], named_by: str, name: str) -> None:
    columns = TruthColumns([image(7, **fields)], [], CATEGORIES, named_by=named_by)
    assert columns.image_records[0].file_name == name


def test_ignored_annotations_are_difficult() -> None:
    annotations = [
        {"id": number, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], **fields}
        for number, fields in enumerate(({}, {"ignore": 1}, {"ignore": False}), 1)
    ]
    found = build_truth([image(1)], annotations, CATEGORIES).instances
    assert found["difficult"].to_pylist() == [False, True, False]
    found = build_truth([image(1)], annotations[:1], CATEGORIES).instances
    assert found["difficult"].to_pylist() == [None]
