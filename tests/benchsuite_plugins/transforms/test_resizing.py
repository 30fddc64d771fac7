"""Resizing: Pillow's pixels, the sizes of published recipes, and truth that follows."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision import tv_tensors

from benchsuite_plugins.models.image_input import ImageInput
from benchsuite_plugins.models.options import InputOptions
from benchsuite_plugins.transforms.resizing import ResizeScale, ResizeShortestEdge, resize

SIDES = st.integers(1, 90)


@pytest.mark.parametrize("shape", [(480, 640), (640, 427), (33, 200), (1, 1), (7, 1)])
@pytest.mark.parametrize("short", [64, 801])
def test_pixels_are_those_that_models_see_at_test_time(
    make_example: Any, transformed: Any, shape: tuple[int, int], short: int
) -> None:
    options = InputOptions(min_size_test=short, max_size_test=900, format="RGB")
    given = make_example(*shape)
    done = transformed(ResizeShortestEdge(short, 900), given)
    wanted = ImageInput(options, padding=1).resize(given.image.pixels)
    np.testing.assert_array_equal(done.image.pixels, wanted)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear (Pillow)", "bicubic", "lanczos"])
def test_each_filter_is_pillows(make_example: Any, transformed: Any, interpolation: str) -> None:
    given = make_example(30, 41)
    done = transformed(ResizeShortestEdge(47, None, interpolation=interpolation), given)
    kind = PIL.Image.Resampling[interpolation.split()[0].upper()]
    wanted = PIL.Image.fromarray(given.image.pixels).resize((64, 47), kind)
    np.testing.assert_array_equal(done.image.pixels, np.asarray(wanted))


@settings(deadline=None, max_examples=60)
@given(SIDES, SIDES, SIDES, SIDES)
def test_maps_take_the_pixel_that_pillow_takes(
    height: int, width: int, new_height: int, new_width: int
) -> None:
    rng = np.random.default_rng(height)
    labels = rng.integers(0, 256, (height, width), np.uint8)
    mask = tv_tensors.Mask(torch.from_numpy(labels))
    picture = PIL.Image.fromarray(labels)
    wanted = picture.resize((new_width, new_height), PIL.Image.Resampling.NEAREST)
    found = resize(mask, (new_height, new_width), "bilinear")
    assert isinstance(found, tv_tensors.Mask)
    np.testing.assert_array_equal(found, np.asarray(wanted))


def test_truth_is_scaled_with_the_image(make_example: Any, transformed: Any) -> None:
    outline = np.array([[10.0, 20.0], [30.0, 20.0], [30.0, 60.0]])
    mask = np.zeros((100, 50), np.bool_)
    mask[20:60, 10:30] = True
    given = make_example(
        100,
        50,
        boxes=[[10, 20, 30, 60]] * 2,
        labels=[1, 2],
        masks=[(outline,), mask],
        keypoints=[[[10.5, 20.5, 2]]] * 2,
        semantic=np.where(mask, 3, -1),
        proposals=[[0, 0, 50, 100]],
    )
    done = transformed(ResizeShortestEdge(75), given)
    assert done.image.pixels.shape == (150, 75, 3)
    np.testing.assert_array_equal(done.target.boxes, [[15, 30, 45, 90]] * 2)
    np.testing.assert_array_equal(done.target.masks[0][0], outline * 1.5)
    np.testing.assert_array_equal(done.target.masks[1], np.kron(mask[::2, ::2], np.ones((3, 3))))
    np.testing.assert_array_equal(done.target.keypoints, [[[15.75, 30.75, 2]]] * 2)
    np.testing.assert_array_equal(done.target.semantic == 3, done.target.masks[1])
    np.testing.assert_array_equal(done.target.proposals, [[0, 0, 75, 150]])


def test_a_choice_takes_each_length_alike(make_example: Any, transformed: Any) -> None:
    transform = ResizeShortestEdge([8, 12, 16], sampling="choice")
    given = make_example(20, 24)
    counts = Counter(transformed(transform, given, seed).image.height for seed in range(300))
    assert set(counts) == {8, 12, 16}
    assert min(counts.values()) > 70


def test_a_range_takes_both_its_ends(make_example: Any, transformed: Any) -> None:
    transform = ResizeShortestEdge([8, 11], sampling="range")
    given = make_example(24, 20)
    counts = Counter(transformed(transform, given, seed).image.width for seed in range(200))
    assert set(counts) == {8, 9, 10, 11}


@pytest.mark.parametrize(
    ("height", "width", "wanted"),
    [
        (480, 640, (800, 1067)),
        (427, 640, (800, 1199)),
        (640, 200, (1333, 417)),
        (100, 800, (167, 1333)),
    ],
)
def test_the_longer_side_is_bounded(height: int, width: int, wanted: tuple[int, int]) -> None:
    assert ResizeShortestEdge(800, 1333).draw_size(height, width) == wanted


def test_a_scale_fits_the_rectangle_and_then_multiplies() -> None:
    transform = ResizeScale(0.5, 0.5, 1024, 1024)
    assert transform.draw_size(480, 640) == (384, 512)
    assert ResizeScale(2.0, 2.0, 100, 50).draw_size(480, 640) == (75, 100)
    # Halves go to the even number, as NumPy's round does.
    assert ResizeScale(1.0, 1.0, 10, 10).draw_size(20, 9) == (10, 4)
    assert ResizeScale(0.1, 0.1, 10, 10).draw_size(1, 100) == (1, 1)


def test_scales_are_spread_over_their_range() -> None:
    transform = ResizeScale(0.1, 2.0, 100, 100)
    torch.manual_seed(0)
    drawn = np.array([transform.draw_size(50, 100)[1] for _ in range(500)])
    assert drawn.min() < 20 and drawn.max() > 190
    assert abs(drawn.mean() - 105) < 8


@pytest.mark.parametrize(
    "options",
    [
        {"min_size": []},
        {"min_size": [0]},
        {"min_size": [3, 2], "sampling": "range"},
        {"min_size": 3, "sampling": "range"},
    ],
)
def test_lengths_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"min_size|range"):
        ResizeShortestEdge(**options)
