"""Truth and predictions to write, read and compare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image as PillowImage

from benchsuite.columns.truth import build_truth
from benchsuite.protocols import Truth


def _make_truth(*boxes: list[float], **fields: list[Any]) -> Truth:
    """Objects of two categories in turn, on two images in turn."""
    annotations = [
        {"image_id": 1 + row % 2, "category_id": 1 + row % 2, "bbox": box}
        | {name: values[row] for name, values in fields.items()}
        for row, box in enumerate(boxes)
    ]
    return build_truth(
        [
            {"id": 1, "file_name": "a.jpg", "width": 200, "height": 100},
            {"id": 2, "file_name": "b.jpg", "width": 64, "height": 48},
        ],
        annotations,
        [{"id": 1, "name": "cat"}, {"id": 2, "name": "traffic light"}],
        source="made",
    )


@pytest.fixture
def make_truth() -> Callable[..., Truth]:
    return _make_truth


@pytest.fixture
def with_column() -> Callable[..., Truth]:
    """Truth with one column of its instances replaced."""

    def replaced(truth: Truth, name: str, values: list[Any]) -> Truth:
        place = truth.instances.schema.get_field_index(name)
        field = truth.instances.schema.field(name)
        column = pa.array(values, field.type)
        instances = truth.instances.set_column(place, field, column)
        return Truth(truth.images, instances, truth.categories, truth.keypoints, truth.source)

    return replaced


@pytest.fixture
def make_images() -> Callable[..., Path]:
    """A folder of images, by name and size."""

    def make(folder: Path, **sizes: tuple[int, int]) -> Path:
        for name, (width, height) in sizes.items():
            file = folder / f"{name.replace('__', '/')}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            PillowImage.fromarray(np.zeros((height, width), np.uint8)).save(file)
        return folder

    return make
