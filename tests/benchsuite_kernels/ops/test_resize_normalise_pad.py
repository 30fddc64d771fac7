"""Against Pillow and the same float32 operations in NumPy: every value to the bit."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchsuite_kernels import reset_served, served
from benchsuite_kernels.ops import resize_normalise_pad

MEAN, STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)

Size = tuple[int, int]


def image(height: int, width: int, seed: int = 0) -> Tensor:
    """Blacks and whites among all values: sums reach both ends."""
    random = np.random.default_rng(seed)
    values = random.integers(0, 256, (height, width, 3), np.uint8)
    extremes = random.choice(np.array([0, 255], np.uint8), (height, width, 3))
    return torch.from_numpy(np.where(random.random((height, width, 1)) < 0.5, extremes, values))


def expected(pixels: Tensor, size: Size, padded: Size, reverse: bool) -> np.ndarray:
    """(3, H, W) float32; rows first, then columns, as Pillow does where both sides change alike."""
    height, width = size
    rows = PIL.Image.fromarray(pixels.numpy())
    rows = rows.resize((width, rows.height), PIL.Image.Resampling.BILINEAR)
    resized = np.array(rows.resize((width, height), PIL.Image.Resampling.BILINEAR))
    planes = resized[..., :: -1 if reverse else 1].transpose(2, 0, 1).astype(np.float32)
    mean, std = (np.array(each, np.float32)[:, None, None] for each in (MEAN, STD))
    batch = np.zeros((3, *padded), np.float32)
    batch[:, :height, :width] = (planes - mean) / std
    return batch


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_images_of_several_sizes(implementation: str, channels_last: bool, reverse: bool) -> None:
    images = [image(11, 17), image(40, 9, 1), image(24, 31, 2), image(1, 1, 3), image(13, 50, 4)]
    sizes = [(23, 35), (12, 8), (24, 31), (7, 3), (13, 41)]
    reset_served()
    batch = resize_normalise_pad(
        images,
        sizes,
        (32, 48),
        mean=MEAN,
        std=STD,
        reverse_channels=reverse,
        channels_last=channels_last,
    )
    assert served() == {"resize_normalise_pad": implementation}
    assert batch.shape == (5, 3, 32, 48) and batch.dtype is torch.float32
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert batch.is_contiguous(memory_format=layout)
    for found, pixels, size in zip(batch, images, sizes, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected(pixels, size, (32, 48), reverse))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    source=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    margin=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    reverse=st.booleans(),
    channels_last=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_sizes(
    implementation: str,
    source: Size,
    size: Size,
    margin: Size,
    reverse: bool,
    channels_last: bool,
    seed: int,
) -> None:
    pixels, padded = image(*source, seed), (size[0] + margin[0], size[1] + margin[1])
    batch = resize_normalise_pad(
        [pixels],
        [size],
        padded,
        mean=MEAN,
        std=STD,
        reverse_channels=reverse,
        channels_last=channels_last,
    )
    np.testing.assert_array_equal(batch[0].numpy(), expected(pixels, size, padded, reverse))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("channels_last", [False, True])
def test_halves_are_the_rounded_floats(
    implementation: str, dtype: torch.dtype, channels_last: bool
) -> None:
    images, sizes = [image(21, 13), image(9, 30, 1)], [(30, 19), (4, 13)]
    arguments = {"mean": MEAN, "std": STD, "channels_last": channels_last}
    floats = resize_normalise_pad(images, sizes, (32, 32), **arguments)
    halves = resize_normalise_pad(images, sizes, (32, 32), dtype=dtype, **arguments)
    assert torch.equal(halves, floats.to(dtype))


def test_float16_of_all_magnitudes() -> None:
    """Subnormal, normal and too large ones: means and deviations bring 8 bits everywhere."""
    pixels = torch.arange(256, dtype=torch.uint8).view(16, 16, 1).expand(16, 16, 3)
    for std in (1e-4, 3e-3, 1.0, 777.0, 1e6, 3e7, 1e10):
        arguments = {"mean": (127.3, 0, 255), "std": (std, std, std)}
        floats = resize_normalise_pad([pixels], [(16, 16)], (16, 16), **arguments)
        for dtype in (torch.float16, torch.bfloat16):
            halves = resize_normalise_pad([pixels], [(16, 16)], (16, 16), dtype=dtype, **arguments)
            assert torch.equal(halves, floats.to(dtype))


@pytest.mark.parametrize(
    ("source", "size"), [((480, 640), (800, 1067)), ((1200, 900), (133, 100)), ((5, 3000), (1, 66))]
)
def test_images_of_real_size(source: Size, size: Size) -> None:
    padded = (-(-size[0] // 32) * 32, -(-size[1] // 32) * 32)
    pixels = image(*source)
    for channels_last in (False, True):
        batch = resize_normalise_pad(
            [pixels], [size], padded, mean=MEAN, std=STD, channels_last=channels_last
        )
        np.testing.assert_array_equal(batch[0].numpy(), expected(pixels, size, padded, False))


def test_a_view_is_taken_as_it_looks(implementation: str) -> None:
    pixels = image(20, 30).flip(2)[::2, 3:]
    found, wanted = (
        resize_normalise_pad([each], [(17, 9)], (17, 9), mean=MEAN, std=STD)
        for each in (pixels, pixels.clone())
    )
    assert torch.equal(found, wanted)


def test_the_number_of_threads_changes_nothing() -> None:
    images, sizes = [image(300, 400), image(200, 100, 1)], [(450, 600), (64, 32)]
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(resize_normalise_pad(images, sizes, (480, 608), mean=MEAN, std=STD))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)


def test_float64_is_the_references() -> None:
    reset_served()
    batch = resize_normalise_pad(
        [image(5, 7)], [(5, 7)], (5, 7), mean=MEAN, std=STD, dtype=torch.float64
    )
    assert served() == {"resize_normalise_pad": "reference"}
    wanted = (
        image(5, 7).permute(2, 0, 1).double() - torch.tensor(MEAN).double()[:, None, None]
    ) / (torch.tensor(STD).double()[:, None, None])
    torch.testing.assert_close(batch[0], wanted, rtol=1e-6, atol=1e-6)


def test_torch_finds_it_a_sound_operator() -> None:
    torch.library.opcheck(
        torch.ops.benchsuite.resize_normalise_pad.default,
        (
            [image(5, 7), image(6, 6)],
            [4, 9, 6, 6],
            [8, 12],
            list(MEAN),
            list(STD),
            True,
            torch.float32,
            True,
        ),
    )


@pytest.mark.parametrize(
    ("images", "sizes", "padded"),
    [
        ([], [], (4, 4)),
        ([image(4, 4)], [(4, 4), (4, 4)], (4, 4)),
        ([image(4, 4)[..., :2]], [(4, 4)], (4, 4)),
        ([image(4, 4).float()], [(4, 4)], (4, 4)),
        ([image(4, 4)[:0]], [(4, 4)], (4, 4)),
        ([image(4, 4)], [(5, 4)], (4, 4)),
        ([image(4, 4)], [(4, 0)], (4, 4)),
    ],
)
def test_what_does_not_fit_is_refused(
    implementation: str, images: list[Tensor], sizes: list[Size], padded: Size
) -> None:
    with pytest.raises(ValueError, match="image"):
        resize_normalise_pad(images, sizes, padded, mean=MEAN, std=STD)
