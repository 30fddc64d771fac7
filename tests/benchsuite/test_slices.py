"""Slices of the images, and the values of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchsuite.errors import DataMissingError, InputError
from benchsuite.protocols import Predictions, Scores, Truth
from benchsuite.slices import ImageSlice, read_slices, score_slices, stated_slices


class Total:
    """The sum of the images' ids."""

    evaluator = "total 1"

    def match(self, truth: Truth, predictions: Predictions) -> pa.Table:
        raise NotImplementedError

    def accumulate(
        self, matches: pa.Table, image_weights: Mapping[int, float] | None = None
    ) -> Scores:
        weights = image_weights or {}
        return Scores(
            {"total": sum(weights.get(i, 0) * i for i in matches["image_id"].to_pylist())}
        )


class ResampledTotal(Total):
    """The same, all weightings at once."""

    def accumulate(self, matches: pa.Table, image_weights: Any = None) -> Scores:
        raise AssertionError("not asked for one weighting after the other")

    def resample(
        self, matches: pa.Table, image_ids: np.ndarray, weights: np.ndarray
    ) -> dict[str, np.ndarray]:
        there = np.isin(image_ids, matches["image_id"].to_numpy())
        return {"total": (weights * image_ids * there).sum(axis=1)}


MATCHES = pa.table({"image_id": [5, 1, 1000, 1]})


def images(**columns: Any) -> pa.Table:
    return pa.table({"image_id": [5, 1, 7, 2], "file_name": ["a", "b", "c", "d"], **columns})


@pytest.mark.parametrize("metric", [Total(), ResampledTotal()])
def test_values_of_slices(metric: Total) -> None:
    slices = [
        ImageSlice("weather", "rain", (5, 7)),
        ImageSlice("weather", "sun", (1,)),
        ImageSlice("camera", "2", (7, 2)),
    ]
    found = list(score_slices(metric, MATCHES, slices))
    assert [each.slice for each in found] == slices
    expected = [5, 2, 0] if type(metric) is Total else [5, 1, 0]
    assert [each.metrics["total"] for each in found] == expected
    assert list(score_slices(metric, MATCHES, [])) == []


def test_stated_slices() -> None:
    stated = [{"weather": "sun", "lanes": [1, 2]}, {"weather": "rain", "night": True}, None]
    table = images(attributes=[*map(json.dumps, stated[:2]), None, '{"night": 1, "weather": null}'])
    assert stated_slices(table) == [
        ImageSlice("weather", "rain", (1,)),
        ImageSlice("weather", "sun", (5,)),
        ImageSlice("lanes", "[1, 2]", (5,)),
        ImageSlice("night", "1", (2,)),
        ImageSlice("night", "True", (1,)),
    ]
    assert stated_slices(images()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "image 5: attributes are no JSON: "), ("[1]", "image 5: attributes are no JSON object")],
)
def test_attributes_that_are_none(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        stated_slices(images(attributes=[text, None, None, None]))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_slices_of_a_table(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"slices.{kind}"
    if kind == "csv":
        path.write_text("file_name,weather,camera\na,sun,1\nd,rain,\nc,sun,1\n")
    else:
        columns = {"image_id": [5, 2, 7], "weather": ["sun", "rain", "sun"], "camera": [1, None, 1]}
        pq.write_table(pa.table(columns), path)
    assert read_slices(path, images()) == [
        ImageSlice("weather", "rain", (2,)),
        ImageSlice("weather", "sun", (5, 7)),
        ImageSlice("camera", "1", (5, 7)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weather\nsun\n", "neither a column image_id nor file_name"),
        ("image_id,weather\n5,sun\n6,sun\n", "row 2: image_id 6 is not among the images"),
        ("image_id,weather\n5,sun\n5,rain\n", "row 2: image_id 5 is there for the second time"),
        ("image_id\n5,1,2\n", "is no table that can be read"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "slices.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_slices(path, images())


def test_an_attribute_with_too_many_values() -> None:
    many = pa.table(
        {
            "image_id": range(101),
            "attributes": [json.dumps({"time": i}) for i in range(101)],
        }
    )
    with pytest.raises(InputError, match="'time' has 101 values, more than 100"):
        stated_slices(many)


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match="no table of attributes"):
        read_slices(tmp_path / "none.csv", images())
