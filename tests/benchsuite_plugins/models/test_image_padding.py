from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from benchsuite.records import Image, ImageRecord
from benchsuite_plugins.models.image_input import ImageInput
from benchsuite_plugins.models.image_padding import PaddingOptions, make_padding
from benchsuite_plugins.models.options import InputOptions


@pytest.mark.parametrize(
    ("square_size", "height", "width", "expected"),
    [
        (0, 33, 64, (64, 64)),
        (0, 1, 65, (32, 96)),
        (128, 1, 100, (128, 128)),
        (128, 128, 128, (128, 128)),
        (100, 20, 30, (128, 128)),  # a multiple of 32 all the same
        (128, 20, 150, (160, 160)),  # an image that is larger makes it larger
    ],
)
def test_size_of_a_batch(
    square_size: int, height: int, width: int, expected: tuple[int, int]
) -> None:
    assert make_padding(PaddingOptions(square_size), 32)(height, width) == expected


def test_images_lie_in_the_upper_left_corner_of_the_square() -> None:
    options = InputOptions("RGB", 20, 40, pixel_mean=(0, 0, 0))
    images = [
        Image(ImageRecord(1, "a.png", w, h), np.full((h, w, 3), 200, np.uint8))
        for h, w in ((20, 30), (40, 20))
    ]
    batch = ImageInput(options, make_padding(PaddingOptions(64), 32))(images, torch.device("cpu"))
    assert batch.pixels.shape == (2, 3, 64, 64)
    for pixels, (height, width) in zip(batch.pixels, ((20, 30), (40, 20)), strict=True):
        assert (pixels[:, :height, :width] == 200).all()
        assert (pixels != 0).sum() == 3 * height * width


def test_description_tells_of_the_square() -> None:
    described = ImageInput(InputOptions(), make_padding(PaddingOptions(64), 32)).describe()
    assert described["padding"]["square"] == 64 and described["padding"]["multiple_of"] == 32
    assert json.loads(json.dumps(described)) == described
