"""Every recipe's augmentations can be built, and do something sensible."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from benchsuite.plugins import registry
from benchsuite.records import Image, ImageRecord
from benchsuite.resolve import use
from benchsuite.targets import Target
from benchsuite.training.augmentation.augmentation import build_augmentation
from benchsuite.training.data.example import Example


def lists_of_augmentations() -> dict[str, Any]:
    """Each list that a recipe has, with one of the recipes that have it."""
    found: dict[str, Any] = {}
    for recipe in registry().recipes.values():
        body = use(recipe.source, recipe.name)(recipe.name)
        tables = body.get("training", {}).get("augmentations")
        if tables:
            found.setdefault(json.dumps(tables), (recipe.name, tables))
    return dict(found.values())


LISTS = lists_of_augmentations()


@pytest.mark.parametrize("recipe", LISTS)
def test_a_recipes_augmentations_keep_image_and_truth_together(recipe: str) -> None:
    pixels = np.full((120, 160, 3), 50, np.uint8)
    pixels[30:90, 40:120] = 200
    box = [40, 30, 120, 90]
    outline = np.array([[40.0, 30.0], [120.0, 30.0], [120.0, 90.0], [40.0, 90.0]])
    target = Target(boxes=[box], labels=[0], masks=[(outline,)])
    example = Example(Image(ImageRecord(1, "", 160, 120), pixels), target)
    augmentation = build_augmentation(LISTS[recipe], tasks=("bbox", "segm"))
    seen = 0
    for seed in range(5):
        done = augmentation(example, seed, lambda k: example)
        bright = done.image.pixels[..., 0] > 160
        assert len(done.target) == bool(bright.any())
        if bright.any():
            rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
            tight = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
            scale = max(done.image.width / 160, done.image.height / 120, 1)
            np.testing.assert_allclose(done.target.boxes[0], tight, atol=1.5 * scale)
            seen += 1
    assert seen


@pytest.mark.parametrize("shape", [(1, 1), (3, 37), (53, 4), (7, 101)])
@pytest.mark.parametrize("recipe", LISTS)
def test_a_recipes_augmentations_take_images_of_any_shape(
    recipe: str, shape: tuple[int, int]
) -> None:
    height, width = shape
    outline = np.array([[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]])
    full = Target(
        boxes=[[0, 0, width, height]],
        labels=[0],
        masks=[(outline,)],
        keypoints=[[[width / 2, height / 2, 2]]],
        semantic=np.zeros(shape, np.int64),
    )
    empty = Target(masks=(), semantic=np.zeros(shape, np.int64))
    tasks = ("bbox", "segm", "keypoints", "semantic")
    augmentation = build_augmentation(LISTS[recipe], tasks=tasks, recompute_boxes=True)
    image = Image(ImageRecord(1, "", width, height), np.zeros((*shape, 3), np.uint8))
    for target in (full, empty):
        example = Example(image, target)
        for seed in range(3):
            done = augmentation(example, seed, lambda k, example=example: example)
            assert done.image.pixels.shape[:2] == done.target.semantic.shape
            assert len(done.target) <= len(target)
            assert len(done.target.masks) == len(done.target)
            size = [done.image.width, done.image.height]
            assert (done.target.boxes[:, 2:] <= size).all()
