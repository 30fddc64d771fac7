from __future__ import annotations

import json

import numpy as np
import PIL.Image
import pytest
import torch

from benchsuite.records import Image, ImageRecord
from benchsuite_plugins.models.image_input import ImageInput, shortest_edge_size
from benchsuite_plugins.models.options import InputOptions
from benchsuite_plugins.models.torchvision_input import TorchvisionInput, TorchvisionInputOptions

CPU = torch.device("cpu")


def image(height: int, width: int, seed: int = 0) -> Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image(ImageRecord(1, "a.png", width, height), pixels)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (480, 640, (800, 1067)),  # 1066.67 rounds up
        (640, 480, (1067, 800)),
        (427, 640, (800, 1199)),  # 1199.06 rounds down
        (400, 1000, (533, 1333)),  # the longer side rules: 2000 > 1333
        (1200, 90, (1333, 100)),
        (800, 1333, (800, 1333)),
        (1, 1, (800, 800)),
        (33, 47, (800, 1139)),
        (1, 100000, (1, 1333)),  # 0.013 would be no pixel at all
    ],
)
def test_sizes(height: int, width: int, expected: tuple[int, int]) -> None:
    assert shortest_edge_size(height, width, 800, 1333) == expected


def test_a_half_rounds_up() -> None:
    assert shortest_edge_size(4, 9, 2, 100) == (2, 5)
    assert shortest_edge_size(9, 4, 2, 100) == (5, 2)


@pytest.mark.parametrize("channels_last", [False, True])
def test_resize_is_pillows_in_the_models_channel_order(channels_last: bool) -> None:
    given = image(50, 70)
    resized = PIL.Image.fromarray(given.pixels).resize((42, 30), PIL.Image.Resampling.BILINEAR)
    rgb = np.asarray(resized).transpose(2, 0, 1)
    for name, expected in (("RGB", rgb), ("BGR", rgb[::-1])):
        plain = InputOptions(name, 30, 99, pixel_mean=(0, 0, 0), pixel_std=(1, 1, 1))
        own = ImageInput(plain, 1)
        own.channels_last = channels_last
        pixels = own([given], CPU).pixels
        np.testing.assert_array_equal(pixels[0].numpy(), expected)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        assert pixels.is_contiguous(memory_format=layout)
    np.testing.assert_array_equal(own.resized(given).pixels, np.asarray(resized))


def test_pixels_that_torch_cannot_share_are_copied() -> None:
    given = image(20, 30)
    wanted = ImageInput(InputOptions(), 32)([given], CPU).pixels
    frozen = given.pixels.copy()
    frozen.flags.writeable = False
    turned = given.pixels[:, ::-1].copy()[:, ::-1]
    for pixels in (frozen, turned):
        found = ImageInput(InputOptions(), 32)([Image(given.record, pixels)], CPU).pixels
        assert torch.equal(found, wanted)


@pytest.mark.parametrize("size", [(50, 70), (30, 99)])
def test_what_is_resized_before_is_the_batch_of_inference(size: tuple[int, int]) -> None:
    """To the bit; torchvision's models resize what is normalised, and round to uint8 before."""
    given = image(*size)
    own = ImageInput(InputOptions(min_size_test=30, max_size_test=60), 32)
    resized = own.resized(given)
    assert torch.equal(own([given], CPU).pixels, own.without_resize([resized], CPU).pixels)
    theirs = TorchvisionInput(TorchvisionInputOptions(30, 60), 32)
    resized = theirs.resized(given)
    assert resized.pixels.dtype == np.uint8 and resized.record == given.record
    difference = theirs([given], CPU).pixels - theirs.without_resize([resized], CPU).pixels
    assert 0 < float(difference.abs().max()) < 0.51 / 255 / 0.224


def test_batch_is_normalised_before_it_is_padded() -> None:
    options = InputOptions(
        min_size_test=20, max_size_test=40, pixel_mean=(1, 2, 3), pixel_std=(2, 4, 8)
    )
    images = [image(20, 30), image(40, 20, seed=1)]
    batch = ImageInput(options, 16)(images, CPU)
    assert batch.pixels.shape == (2, 3, 48, 32) and batch.pixels.dtype == torch.float32
    assert batch.sizes.tolist() == [[20, 30], [40, 20]] == batch.original_sizes.tolist()
    for pixels, given in zip(batch.pixels, images, strict=True):
        height, width = given.height, given.width
        expected = (given.pixels[:, :, ::-1].astype(np.float64) - (1, 2, 3)) / (2, 4, 8)
        np.testing.assert_allclose(
            pixels[:, :height, :width].numpy(), expected.transpose(2, 0, 1), rtol=1e-6
        )
        assert (pixels[:, height:] == 0).all() and (pixels[:, :, width:] == 0).all()


def test_description_is_plain() -> None:
    described = ImageInput(InputOptions(), 32).describe()
    assert json.loads(json.dumps(described)) == described
    assert described["resize"] == {
        "short_side": 800,
        "long_side": 1333,
        "filter": "Pillow bilinear on uint8",
    }
