"""Targets drawn: what predictions of the same would be, but without scores."""

from __future__ import annotations

import numpy as np
import pytest

from benchsuite.drawing import MASK_OPACITY, draw_prediction
from benchsuite.drawing_style import colour_of
from benchsuite.errors import ContractError
from benchsuite.records import RLE, Image, ImageRecord, Prediction
from benchsuite.specs import Category, KeypointLayout
from benchsuite.target_drawing import draw_target
from benchsuite.targets import Target
from benchsuite_kernels.columns import rle

CATEGORIES = (Category(1, "person"), Category(2, "dog"))
IMAGE = Image(ImageRecord(7, "grey.png", 640, 480), np.full((480, 640, 3), 100, np.uint8))
OUTLINE = np.array([[100.0, 100.0], [300.0, 100.0], [300.0, 300.0], [100.0, 300.0]])


def mask() -> np.ndarray:
    pixels = np.zeros((480, 640), np.bool_)
    pixels[100:300, 100:300] = True
    return pixels


MASKS = {"polygon": (OUTLINE,), "bitmap": mask(), "rle": RLE((480, 640), rle.encode(mask()))}


@pytest.mark.parametrize("shape", MASKS.values(), ids=MASKS.keys())
def test_every_kind_of_mask_is_tinted(shape: object) -> None:
    target = Target([[100, 100, 300, 300]], [1], masks=[shape])
    pixels = np.asarray(draw_target(IMAGE, target, CATEGORIES))
    tint = [round((1 - MASK_OPACITY) * 100 + MASK_OPACITY * channel) for channel in colour_of(1)]
    assert pixels[250, 250].tolist() == tint
    assert pixels[350, 250].tolist() == [100] * 3


def test_all_but_the_labels_is_as_of_a_prediction() -> None:
    points = [[[150, 150, 2], [250, 250, 1], [0, 0, 0]]]
    semantic = np.where(mask(), 1, -1)
    layout = KeypointLayout(("a", "b", "c"), (0.1,) * 3, skeleton=((0, 1),))
    fields = {"masks": [RLE((480, 640), rle.encode(mask()))], "keypoints": points}
    target = Target([[100, 100, 300, 300]], [0], semantic=semantic, **fields)
    prediction = Prediction([[100, 100, 300, 300]], [1.0], [0], semantic=semantic, **fields)
    ours = np.asarray(draw_target(IMAGE, target, CATEGORIES, keypoints=layout)).astype(int)
    theirs = np.asarray(draw_prediction(IMAGE, prediction, CATEGORIES, keypoints=layout))
    differing = np.flatnonzero((ours != theirs).any(axis=(1, 2)))
    # The label stands above the box.
    assert len(differing) and differing.max() < 100


def test_a_label_that_is_none_of_the_categories_is_drawn_with_its_number() -> None:
    pixels = np.asarray(draw_target(IMAGE, Target([[100, 100, 300, 300]], [5]), CATEGORIES))
    assert pixels[299, 200].tolist() == list(colour_of(5))


def test_an_image_without_objects_stays_as_it_is() -> None:
    drawn = draw_target(IMAGE, Target(), CATEGORIES)
    np.testing.assert_array_equal(np.asarray(drawn), IMAGE.pixels)


def test_a_mask_of_another_size_is_refused() -> None:
    target = Target([[0, 0, 5, 5]], [0], masks=[np.ones((5, 5), np.bool_)])
    with pytest.raises(ContractError, match="masks has shape"):
        draw_target(IMAGE, target, CATEGORIES)
