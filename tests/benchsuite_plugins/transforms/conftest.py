"""Examples to transform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchsuite.records import Image, ImageRecord
from benchsuite.targets import Target
from benchsuite.training.augmentation.augmentation import Augmentation
from benchsuite.training.data.example import Example

TASKS = ("bbox", "segm", "keypoints", "semantic")


@pytest.fixture
def make_example() -> Callable[..., Example]:
    """Makes an example of a height and width, noise where no ``pixels`` are given, and a target."""

    def make(height: int, width: int, pixels: Any = None, **target: Any) -> Example:
        if pixels is None:
            rng = np.random.default_rng(height * 1000 + width)
            pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
        return Example(Image(ImageRecord(1, "", width, height), pixels), Target(**target))

    return make


@pytest.fixture
def transformed() -> Callable[..., Example]:
    """Applies one transform to an example, with a seed and the others that a mixing one takes."""

    def apply(
        transform: Any, example: Example, seed: int = 0, others: Any = (), **options: Any
    ) -> Example:
        augmentation = Augmentation([transform], tasks=TASKS, **options)
        return augmentation(example, seed, lambda k: others[k])

    return apply
