"""Scenes of instance maps and predictions, made up by a seed."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pytest

from benchsuite.protocols import Predictions, Truth
from benchsuite.schemas import (
    PREDICTION_IMAGES,
    PREDICTION_INSTANCES,
    TRUTH_IMAGES,
    TRUTH_INSTANCES,
)
from benchsuite_kernels.columns import rle
from benchsuite_plugins.datasets.cityscapes.labels import CATEGORIES


def png(pixels: np.ndarray) -> bytes:
    encoded = io.BytesIO()
    PIL.Image.fromarray(pixels).save(encoded, "PNG")
    return encoded.getvalue()


@dataclass(frozen=True)
class Tables:
    """Makes tables of plain arrays."""

    def truth(self, maps: Sequence[np.ndarray], labels: Sequence[np.ndarray] = ()) -> Truth:
        """Images 1, 2, ... with their instance maps and label maps (by default what those say)."""
        rows = []
        for number, numbers in enumerate(maps, start=1):
            of_labels = np.where(numbers < 1000, numbers, numbers // 1000)
            if len(labels):
                of_labels = labels[number - 1]
            rows.append(
                {
                    "image_id": number,
                    "file_name": f"frankfurt/frankfurt_000000_{number:06}_leftImg8bit.png",
                    "height": numbers.shape[0],
                    "width": numbers.shape[1],
                    "instance_png": png(numbers.astype(np.uint16)),
                    "semantic_png": png(of_labels.astype(np.uint8)),
                }
            )
        return Truth(
            pa.Table.from_pylist(rows, TRUTH_IMAGES), TRUTH_INSTANCES.empty_table(), CATEGORIES
        )

    def instances(
        self, truth: Truth, rows: Sequence[tuple[int, int, float, np.ndarray]]
    ) -> Predictions:
        """Predictions of (image id, label id, score, mask)."""
        instances = [
            {
                "prediction": place,
                "image_id": image_id,
                "category_id": label,
                "score": score,
                "segmentation": {"size": list(mask.shape), "counts": rle.encode(mask)},
            }
            for place, (image_id, label, score, mask) in enumerate(rows)
        ]
        return Predictions(
            self._images(truth), pa.Table.from_pylist(instances, PREDICTION_INSTANCES), "dt.json"
        )

    def maps(self, truth: Truth, maps: Sequence[np.ndarray]) -> Predictions:
        """Predictions of one label map an image."""
        return Predictions(
            self._images(truth, [png(each.astype(np.uint8)) for each in maps]),
            PREDICTION_INSTANCES.empty_table(),
            "maps",
        )

    def _images(self, truth: Truth, pngs: Sequence[bytes] | None = None) -> pa.Table:
        columns: Any = ["image_id", "file_name", "height", "width"]
        rows = truth.images.select(columns).to_pylist()
        for place, row in enumerate(rows):
            row["n_instances"] = 0
            row["semantic_png"] = None if pngs is None else pngs[place]
        return pa.Table.from_pylist(rows, PREDICTION_IMAGES)


@pytest.fixture(scope="session")
def tables() -> Tables:
    return Tables()


@pytest.fixture(scope="session")
def draw_scene() -> Callable[..., np.ndarray]:
    """Draws an instance map: stuff and void, objects, groups and regions too small to count."""

    def draw(random: np.random.Generator, size: tuple[int, int] = (40, 60)) -> np.ndarray:
        height, width = size
        numbers = np.full(size, 7)
        for _ in range(random.integers(0, 12)):
            label = int(random.choice([0, 3, 9, 21, 23, 24, 25, 26, 26, 28, 29, 33]))
            if label >= 24 and random.random() < 0.75:
                label = label * 1000 + int(random.integers(0, 4))
            y, x = random.integers(0, height - 2), random.integers(0, width - 2)
            h, w = random.integers(2, 24), random.integers(2, 24)
            numbers[y : y + h, x : x + w] = label
        return numbers

    return draw


@pytest.fixture(scope="session")
def draw_instances(
    draw_scene: Callable[..., np.ndarray],
) -> Callable[..., list[tuple[int, int, float, np.ndarray]]]:
    """Draws predictions for instance maps: regions moved a little, blobs, empty masks, ties."""

    def draw(
        random: np.random.Generator, maps: Sequence[np.ndarray]
    ) -> list[tuple[int, int, float, np.ndarray]]:
        rows = []
        for number, numbers in enumerate(maps, start=1):
            present = np.unique(numbers)
            for _ in range(random.integers(0, 14)):
                value = int(random.choice(present))
                mask = numbers == value
                label = value if value < 1000 else value // 1000
                if random.random() < 0.6:
                    mask = np.roll(mask, random.integers(-3, 4, 2), (0, 1))
                if random.random() < 0.3:
                    mask = mask & (random.random(mask.shape) < random.uniform(0.4, 1))
                if random.random() < 0.2:
                    mask = np.zeros_like(mask)
                    y, x = random.integers(0, mask.shape[0]), random.integers(0, mask.shape[1])
                    mask[y : y + random.integers(0, 20), x : x + random.integers(0, 20)] = True
                if random.random() < 0.3:
                    label = int(random.choice([24, 25, 26, 28, 29, 33]))
                score = random.choice([0.0, 0.5, 0.9, float(random.random())])
                rows.append((number, label, float(score), mask))
        return rows

    return draw
