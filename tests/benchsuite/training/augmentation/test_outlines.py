"""Outlines move as the pixels that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from benchsuite.training.augmentation.outlines import Outlines
from benchsuite_kernels.columns import rle

HEIGHT, WIDTH = 60, 80
SEEDS = st.integers(0, 2**32 - 1)
MANY = settings(deadline=None, max_examples=40)


def star(seed: int) -> np.ndarray:
    """A polygon round a point of the image, without spikes that painting would lose; parts of it
    may lie outside."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False) + rng.uniform(0, 0.3, 12)
    radii = rng.uniform(18, 30, 12)[:, None]
    centre = rng.uniform([10, 10], [WIDTH - 10, HEIGHT - 10])
    return centre + radii * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def painted(outlines: Outlines, row: int = 0) -> np.ndarray:
    size = outlines.canvas_size
    pieces = [piece.ravel().tolist() for piece in outlines.polygons()[row]]
    if not pieces:
        return np.zeros(size, bool)
    return rle.decode(rle.from_polygons(pieces, size), size).astype(bool)


def grown(mask: np.ndarray, steps: int) -> np.ndarray:
    for _ in range(steps):
        wide = np.pad(mask, 1)
        windows = np.lib.stride_tricks.sliding_window_view(wide, (3, 3))
        mask = windows.any(axis=(2, 3))
    return mask


def assert_near(ours: np.ndarray, theirs: np.ndarray, pixels: int) -> None:
    """Neither reaches further than so many pixels beyond the other."""
    assert not (ours & ~grown(theirs, pixels)).any()
    assert not (theirs & ~grown(ours, pixels)).any()


@MANY
@given(SEEDS, st.integers(45, 150), st.integers(60, 160))
def test_resizing_and_painting_can_change_places(seed: int, height: int, width: int) -> None:
    outlines = Outlines.of_polygons([(star(seed),)], (HEIGHT, WIDTH)).within_image()
    bitmap = tv_tensors.Mask(torch.from_numpy(painted(outlines)))
    ours = painted(F.resize(outlines, [height, width]))
    theirs = F.resize(bitmap, [height, width]).numpy().astype(bool)
    assert_near(ours, theirs, 2 + max(height // HEIGHT, width // WIDTH))


@MANY
@given(SEEDS, st.floats(-180, 180))
def test_rotating_and_painting_can_change_places(seed: int, angle: float) -> None:
    outlines = Outlines.of_polygons([(star(seed),)], (HEIGHT, WIDTH)).within_image()
    bitmap = tv_tensors.Mask(torch.from_numpy(painted(outlines)))
    for expand in (False, True):
        turned = F.rotate(outlines, angle, expand=expand)
        pixels = F.rotate(bitmap.to(torch.uint8)[None], angle, expand=expand)[0]
        assert turned.canvas_size == tuple(pixels.shape)
        assert_near(painted(turned), pixels.numpy().astype(bool), 2)


@MANY
@given(SEEDS)
def test_boxes_are_as_tight_as_painted(seed: int) -> None:
    outlines = Outlines.of_polygons([(star(seed),)], (HEIGHT, WIDTH)).within_image()
    mask = painted(outlines)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    tight = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    np.testing.assert_allclose(outlines.boxes()[0], tight, atol=1.5)


@MANY
@given(SEEDS)
def test_mirrored_twice_they_are_the_same(seed: int) -> None:
    outlines = Outlines.of_polygons([(star(seed),), (star(seed + 1),)], (HEIGHT, WIDTH))
    for flip in (F.horizontal_flip, F.vertical_flip):
        twice = flip(flip(outlines))
        assert isinstance(twice, Outlines)
        torch.testing.assert_close(twice.clone(), outlines.clone(), rtol=0, atol=1e-12)


def test_instances_keep_their_pieces() -> None:
    first, second, third = star(1), star(2), star(3)
    outlines = Outlines.of_polygons([(first, second), (), (third,)], (HEIGHT, WIDTH))
    assert [len(polygons) for polygons in outlines.polygons()] == [2, 0, 1]
    assert outlines.boxes()[1].tolist() == [0, 0, 0, 0]
    whole = np.concatenate([first, second])
    np.testing.assert_array_equal(outlines.boxes()[0], [*whole.min(axis=0), *whole.max(axis=0)])
    chosen = outlines.of_instances(np.array([False, True, True]))
    assert [len(polygons) for polygons in chosen.polygons()] == [0, 1]
    np.testing.assert_array_equal(chosen.polygons()[1][0], third)
    none = outlines.of_instances(np.zeros(3, bool))
    assert none.polygons() == [] and none.boxes().shape == (0, 4)


def test_an_instance_cut_away_stays_without_pieces() -> None:
    inside = np.array([[1.0, 1.0], [9.0, 1.0], [9.0, 9.0]])
    outlines = Outlines.of_polygons([(inside + 50,), (inside, inside + 50)], (70, 70))
    cropped = F.crop(outlines, top=0, left=0, height=20, width=20)
    assert [len(polygons) for polygons in cropped.polygons()] == [0, 1]
    np.testing.assert_array_equal(cropped.polygons()[1][0], inside)


def test_a_transform_that_drops_points_is_told() -> None:
    outlines = Outlines.of_polygons([(star(1),)], (HEIGHT, WIDTH))
    with pytest.raises(ValueError, match="may move points, but not add or drop them"):
        tv_tensors.wrap(outlines.as_subclass(torch.Tensor)[1:], like=outlines)
