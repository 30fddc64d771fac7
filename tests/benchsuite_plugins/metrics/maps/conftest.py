"""Truth and predictions as maps, made of arrays."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pytest

from benchsuite.predictions.label_maps import encode_panoptic
from benchsuite.protocols import Predictions, Truth
from benchsuite.schemas import (
    PREDICTION_IMAGES,
    PREDICTION_INSTANCES,
    TRUTH_IMAGES,
    TRUTH_INSTANCES,
)
from benchsuite.specs import Category

Map = tuple[np.ndarray, list[dict[str, Any]]]
"""Segment numbers and the list of segments."""


def grey_png(numbers: np.ndarray) -> bytes:
    encoded = io.BytesIO()
    PIL.Image.fromarray(numbers).save(encoded, "PNG")
    return encoded.getvalue()


@dataclass(frozen=True)
class MapTables:
    """Makes truth and predictions; images are 1, 2, ... where no ids are given."""

    categories: tuple[Category, ...] = (
        Category(3, "cat"),
        Category(1, "dog"),
        Category(200, "sky", isthing=False),
        Category(7, "sea", isthing=False),
    )

    def panoptic(
        self, truths: Sequence[Map], predictions: Sequence[Map], ids: Sequence[int] = ()
    ) -> tuple[Truth, Predictions]:
        return (
            self.truth([self.panoptic_row(*each) for each in truths], ids),
            self.predictions([self.panoptic_row(*each) for each in predictions], ids),
        )

    def semantic(
        self,
        truths: Sequence[np.ndarray],
        predictions: Sequence[np.ndarray],
        ids: Sequence[int] = (),
    ) -> tuple[Truth, Predictions]:
        return (
            self.truth([self.semantic_row(each) for each in truths], ids),
            self.predictions([self.semantic_row(each) for each in predictions], ids),
        )

    def panoptic_row(self, numbers: np.ndarray, segments: list[dict[str, Any]]) -> dict[str, Any]:
        """With areas of the map where the list has none."""
        listed = [
            {"iscrowd": False, "area": int((numbers == each["id"]).sum()), **each}
            for each in segments
        ]
        size = {"height": numbers.shape[0], "width": numbers.shape[1]}
        return {"panoptic_png": encode_panoptic(numbers), "segments": listed, **size}

    def semantic_row(self, numbers: np.ndarray) -> dict[str, Any]:
        size = {"height": numbers.shape[0], "width": numbers.shape[1]}
        return {"semantic_png": grey_png(numbers), **size}

    def truth(self, rows: Sequence[Mapping[str, Any]], ids: Sequence[int] = ()) -> Truth:
        table = pa.Table.from_pylist(self._named(rows, ids), TRUTH_IMAGES)
        return Truth(table, TRUTH_INSTANCES.empty_table(), self.categories, source="truth.json")

    def predictions(
        self, rows: Sequence[Mapping[str, Any]], ids: Sequence[int] = ()
    ) -> Predictions:
        named = [{"n_instances": 0, **row} for row in self._named(rows, ids)]
        table = pa.Table.from_pylist(named, PREDICTION_IMAGES)
        return Predictions(table, PREDICTION_INSTANCES.empty_table(), "predictions.json")

    def _named(self, rows: Sequence[Mapping[str, Any]], ids: Sequence[int]) -> list[dict[str, Any]]:
        numbered = zip(ids or range(1, len(rows) + 1), rows, strict=True)
        empty = {"width": 1, "height": 1}
        return [{"image_id": i, "file_name": f"{i}.jpg", **empty, **row} for i, row in numbered]


@pytest.fixture(scope="session")
def tables() -> MapTables:
    return MapTables()


@dataclass(frozen=True)
class PanopticScenes:
    """Draws panoptic maps: void, crowds, segments that nearly match, and ones that do not."""

    categories: tuple[Category, ...]

    def draw(self, random: np.random.Generator) -> tuple[Map, Map]:
        """One image's truth and prediction."""
        height, width = (int(side) for side in random.integers(1, 24, 2))
        truth = self._blocks(random, np.zeros((height, width), np.int32), 8)
        shift = random.integers(-2, 3, 2)
        prediction = np.roll(truth, tuple(shift), (0, 1)) if random.random() < 0.8 else truth * 0
        prediction = self._blocks(random, prediction, 3)
        if random.random() < 0.1:
            truth = truth * 0
        # What is one segment in the truth may be of another number and category in the prediction.
        categories = {int(number): self._category(random) for number in np.unique(truth)}
        numbers = {int(number): int(number) for number in np.unique(prediction)}
        for number in numbers:
            if random.random() < 0.3:
                numbers[number] = int(random.integers(0, 1 << 24))
            if random.random() < 0.15:
                numbers[number] = 0
        predicted = np.vectorize(numbers.get, otypes=[np.int32])(prediction)
        listed = [
            {
                "id": number,
                "category_id": category,
                "iscrowd": bool(random.random() < 0.2),
                "area": int((truth == number).sum()),
            }
            for number, category in categories.items()
            if number and random.random() < 0.95
        ]
        random.shuffle(listed)
        found = [
            {"id": number, "category_id": self._guess(random, categories.get(number))}
            for number in np.unique(predicted).tolist()
            if number
        ]
        return (truth, listed), (predicted, found)

    def _blocks(self, random: np.random.Generator, numbers: np.ndarray, most: int) -> np.ndarray:
        numbers = numbers.copy()
        for _ in range(random.integers(0, most)):
            y, x = (int(random.integers(0, side)) for side in numbers.shape)
            h, w = random.integers(1, 14, 2)
            numbers[y : y + h, x : x + w] = random.choice([0, 1, 5, 300, 70000, (1 << 24) - 1])
        return numbers

    def _category(self, random: np.random.Generator) -> int:
        return int(random.choice([category.id for category in self.categories]))

    def _guess(self, random: np.random.Generator, category: int | None) -> int:
        if category is None or random.random() < 0.2:
            return self._category(random)
        return category


@pytest.fixture(scope="session")
def scenes(tables: MapTables) -> PanopticScenes:
    return PanopticScenes(tables.categories)
