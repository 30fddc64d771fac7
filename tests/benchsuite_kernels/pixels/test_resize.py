"""The bilinear filter: every pixel as Pillow has it."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchsuite_kernels.dispatch import native
from benchsuite_kernels.pixels import resize
from benchsuite_kernels.pixels.resize import resize_bilinear

sides = st.integers(1, 70)


@pytest.fixture(params=["reference", "c++"], autouse=True)
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    extension = native()
    if request.param == "c++" and extension is None:
        pytest.skip("the extension is not built")
    chosen = extension if request.param == "c++" else None
    monkeypatch.setattr(resize, "native", lambda: chosen)
    return request.param


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Blacks and whites among all values: sums reach both ends."""
    random = np.random.default_rng(seed)
    extremes = random.choice(np.array([0, 255], np.uint8), (height, width, 3))
    values = random.integers(0, 256, (height, width, 3), np.uint8)
    return np.where(random.random((height, width, 1)) < 0.5, extremes, values)


def by_pillow(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Rows, then columns: see the module about versions of Pillow."""
    rows = PIL.Image.fromarray(pixels).resize((width, len(pixels)), PIL.Image.Resampling.BILINEAR)
    return np.array(rows.resize((width, height), PIL.Image.Resampling.BILINEAR))


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example(height=1, width=1, new_height=70, new_width=70, seed=0)
@example(height=70, width=70, new_height=1, new_width=1, seed=0)
@example(height=9, width=70, new_height=9, new_width=3, seed=0)
@example(height=70, width=9, new_height=3, new_width=9, seed=0)
@given(height=sides, width=sides, new_height=sides, new_width=sides, seed=st.integers(0, 99))
def test_every_pixel_is_as_pillows(height, width, new_height, new_width, seed):
    pixels = noise(height, width, seed)
    found = resize_bilinear(pixels, (new_height, new_width))
    assert found.dtype == np.uint8 and found.flags.writeable
    assert (found == by_pillow(pixels, new_height, new_width)).all()


@pytest.mark.parametrize(
    ("size", "new_size"),
    [
        ((480, 640), (800, 1067)),
        ((640, 427), (1199, 800)),
        ((1024, 2048), (800, 1600)),
        ((427, 640), (64, 96)),
        ((3000, 2000), (33, 22)),
    ],
)
def test_images_of_real_size(size, new_size):
    pixels = noise(*size)
    found = resize_bilinear(pixels, new_size)
    assert (found == by_pillow(pixels, *new_size)).all()
    at_once = PIL.Image.fromarray(pixels).resize(new_size[::-1], PIL.Image.Resampling.BILINEAR)
    assert (found == np.array(at_once)).all()


def test_a_view_is_taken_as_it_looks():
    pixels = noise(20, 30)[::-1, ::2, ::-1]
    assert (resize_bilinear(pixels, (7, 40)) == by_pillow(pixels.copy(), 7, 40)).all()


@pytest.mark.parametrize(
    ("pixels", "size"),
    [
        (np.zeros((4, 4), np.uint8), (2, 2)),
        (np.zeros((4, 4, 4), np.uint8), (2, 2)),
        (np.zeros((4, 4, 3), np.float32), (2, 2)),
        (np.zeros((0, 4, 3), np.uint8), (2, 2)),
        (np.zeros((4, 4, 3), np.uint8), (0, 2)),
        (np.zeros((4, 4, 3), np.uint8), (2, -1)),
    ],
)
def test_what_is_no_image_is_refused(pixels, size):
    with pytest.raises(ValueError, match="an image"):
        resize_bilinear(pixels, size)
