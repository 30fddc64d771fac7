"""Drawn predictions, pixel by pixel."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Picture

from benchsuite.drawing import MAP_OPACITY, MASK_OPACITY, draw_prediction
from benchsuite.drawing_style import Style, colour_of
from benchsuite.errors import ContractError
from benchsuite.records import RLE, Image, ImageRecord, PanopticMap, Prediction, Segment
from benchsuite.specs import Category, KeypointLayout
from benchsuite_kernels.columns import rle

GREY = 100
CATEGORIES = tuple(Category(i + 1, name) for i, name in enumerate(("person", "dog", "grass")))


def grey_image(width: int = 640, height: int = 480) -> Image:
    pixels = np.full((height, width, 3), GREY, np.uint8)
    return Image(ImageRecord(7, "grey.png", width, height), pixels)


def drawn(
    prediction: Prediction, image: Image | None = None, **options: object
) -> NDArray[np.uint8]:
    picture = draw_prediction(image or grey_image(), prediction, CATEGORIES, **options)
    assert isinstance(picture, Picture.Image)
    assert picture.mode == "RGB"
    return np.asarray(picture)


def blended(colour: tuple[int, int, int], opacity: float) -> list[int]:
    return [round((1 - opacity) * GREY + opacity * channel) for channel in colour]


def test_a_box_covers_its_outermost_pixels() -> None:
    # Lines are two pixels wide at 640 x 480; the label stands above, from row 200 upwards.
    pixels = drawn(Prediction([[100, 200, 300, 400]], [0.9], [1]))
    colour = colour_of(1)
    assert pixels[399, 150].tolist() == pixels[398, 150].tolist() == list(colour)
    assert pixels[397, 150].tolist() == pixels[400, 150].tolist() == [GREY] * 3
    assert pixels[300, 100].tolist() == pixels[300, 101].tolist() == list(colour)
    assert pixels[300, 99].tolist() == pixels[300, 102].tolist() == [GREY] * 3
    assert pixels[300, 299].tolist() == pixels[300, 298].tolist() == list(colour)
    assert pixels[300, 300].tolist() == pixels[300, 297].tolist() == [GREY] * 3
    assert pixels[200, 290].tolist() == list(colour)


def test_a_fractional_box_covers_every_pixel_it_touches() -> None:
    pixels = drawn(Prediction([[100.6, 200.6, 300.2, 400.2]], [0.9], [0]))
    assert pixels[400, 200].tolist() == list(colour_of(0))
    assert pixels[401, 200].tolist() == [GREY] * 3
    assert pixels[300, 100].tolist() == list(colour_of(0))


@pytest.mark.parametrize(
    "box", [[-50, -50, 2000, 2000], [639.9, 479.9, 640, 480], [700, 500, 800, 600], [5, 5, 5, 5]]
)
def test_a_box_at_or_beyond_the_border_is_drawn_within(box: list[float]) -> None:
    pixels = drawn(Prediction([box], [0.9], [0]))
    assert pixels.shape == (480, 640, 3)
    assert (pixels == colour_of(0)).all(axis=2).any()


def test_a_mask_is_tinted_and_outlined() -> None:
    mask = np.zeros((480, 640), bool)
    mask[220:380, 120:280] = True
    pixels = drawn(Prediction([[100, 200, 300, 400]], [0.9], [2], masks=mask[None]))
    colour = colour_of(2)
    assert pixels[300, 200].tolist() == blended(colour, MASK_OPACITY)
    assert pixels[300, 120].tolist() == pixels[300, 121].tolist() == list(colour)
    assert pixels[300, 122].tolist() == blended(colour, MASK_OPACITY)
    assert pixels[379, 200].tolist() == list(colour)
    assert pixels[300, 119].tolist() == pixels[380, 200].tolist() == [GREY] * 3


def test_a_mask_cut_off_by_the_image_has_no_outline_there() -> None:
    mask = np.zeros((480, 640), bool)
    mask[300:480, 0:200] = True
    pixels = drawn(Prediction([[400, 50, 500, 100]], [0.9], [2], masks=mask[None]))
    assert pixels[479, 100].tolist() == blended(colour_of(2), MASK_OPACITY)
    assert pixels[400, 0].tolist() == blended(colour_of(2), MASK_OPACITY)
    assert pixels[400, 199].tolist() == list(colour_of(2))


def test_rle_masks_and_arrays_look_the_same() -> None:
    mask = np.random.default_rng(3).random((480, 640)) > 0.5
    boxes = [[10, 100, 200, 300]]
    coded = RLE((480, 640), rle.encode(mask))
    as_array = drawn(Prediction(boxes, [0.9], [0], masks=mask[None]))
    as_rle = drawn(Prediction(boxes, [0.9], [0], masks=[coded]))
    assert (as_array == as_rle).all()


def test_an_empty_mask_draws_nothing() -> None:
    empty = np.zeros((1, 480, 640), bool)
    boxes = [[10, 100, 200, 300]]
    with_mask = drawn(Prediction(boxes, [0.9], [0], masks=empty))
    assert (with_mask == drawn(Prediction(boxes, [0.9], [0]))).all()


def test_instances_below_the_minimum_score_are_left_out() -> None:
    prediction = Prediction([[10, 100, 200, 300], [300, 100, 500, 300]], [0.9, 0.3], [0, 1])
    assert not (drawn(prediction) == colour_of(1)).all(axis=2).any()
    assert (drawn(prediction, minimum_score=0.3) == colour_of(1)).all(axis=2).any()
    assert (drawn(Prediction(), minimum_score=0.0) == GREY).all()


def test_small_instances_are_drawn_over_large_ones() -> None:
    masks = np.zeros((2, 480, 640), bool)
    masks[0, 200:260, 200:260] = True
    masks[1, 100:400, 100:400] = True
    boxes = [[200, 200, 260, 260], [100, 100, 400, 400]]
    pixels = drawn(Prediction(boxes, [0.6, 0.9], [0, 1], masks=masks))
    assert pixels[201, 230].tolist() == list(colour_of(0))


def plate_pixels(pixels: NDArray[np.uint8], label: int) -> NDArray[np.bool_]:
    return (pixels == colour_of(label)).all(axis=2)


def test_a_label_stands_above_its_box_where_there_is_room() -> None:
    pixels = drawn(Prediction([[100, 200, 300, 400]], [0.9], [1]))
    rows = np.flatnonzero(plate_pixels(pixels, 1).any(axis=1))
    assert rows[0] < 199 - Style.of(640, 480).font
    assert pixels[199, 100].tolist() == list(colour_of(1)), "the plate touches the box"


@pytest.mark.parametrize(
    "box",
    [
        pytest.param([0, 0, 640, 480], id="whole image"),
        pytest.param([630, 0, 640, 10], id="top right"),
        pytest.param([0, 470, 10, 480], id="bottom left"),
        pytest.param([630, 470, 640, 480], id="bottom right"),
    ],
)
def test_a_label_is_whole_wherever_its_box_is(box: list[float]) -> None:
    def inked(box: list[float]) -> int:
        # Type is the only thing darker than the grey that is drawn here.
        return int((drawn(Prediction([box], [0.9], [1])).max(axis=2) < GREY - 40).sum())

    assert inked(box) == inked([200, 200, 400, 400]) > 50


def test_labels_do_not_cover_each_other() -> None:
    box = [200, 200, 400, 400]
    one = plate_pixels(drawn(Prediction([box], [0.9], [1])), 1).sum()
    both = drawn(Prediction([box, box], [0.9, 0.8], [1, 1]))
    rows = np.flatnonzero(plate_pixels(both, 1)[:, 205])
    assert plate_pixels(both, 1).sum() > one
    assert rows[0] < 199 < 215 < rows[-1]


def test_a_name_that_is_wider_than_the_image_is_cut() -> None:
    image = grey_image(60, 60)
    categories = [Category(1, "a very long name that never fits into sixty pixels")]
    prediction = Prediction([[5, 20, 55, 55]], [0.9], [0])
    pixels = np.asarray(draw_prediction(image, prediction, categories))
    assert pixels.shape == (60, 60, 3)
    assert (pixels.max(axis=2) < GREY - 40).any()


def test_names_with_line_breaks_and_labels_without_a_name() -> None:
    image = grey_image()
    prediction = Prediction([[5, 50, 55, 90], [100, 50, 300, 90]], [0.9, 0.8], [0, 9])
    one_line = draw_prediction(image, prediction, [Category(1, "a b")])
    assert one_line == draw_prediction(image, prediction, [Category(1, "a\nb")])


def test_lines_and_type_grow_with_the_image() -> None:
    assert Style.of(640, 480) == Style(line=2, font=13, space=3, joint=4)
    assert Style.of(2560, 1920) == Style(line=8, font=52, space=12, joint=14)
    assert Style.of(64, 48) == Style(line=1, font=9, space=1, joint=2)


def test_a_semantic_map_leaves_pixels_without_a_category_alone() -> None:
    labels = np.full((480, 640), 255, np.uint8)
    labels[100:300, 100:300] = 2
    pixels = drawn(Prediction(semantic=labels))
    assert pixels[110, 110].tolist() == blended(colour_of(2), MAP_OPACITY)
    assert pixels[100, 200].tolist() == [255, 255, 255], "regions are set apart by a white line"
    assert pixels[50, 50].tolist() == [GREY] * 3
    signed = np.where(labels == 255, -1, labels.astype(np.int32))
    assert (drawn(Prediction(semantic=signed)) == pixels).all()


def test_a_panoptic_map_is_drawn_by_its_segments() -> None:
    ids = np.zeros((480, 640), np.int32)
    ids[:, :300] = 11
    ids[200:, 300:] = 70_000
    panoptic = PanopticMap(ids, (Segment(11, 2, False), Segment(70_000, 0, True, 0.9)))
    pixels = drawn(Prediction(panoptic=panoptic))
    assert pixels[30, 30].tolist() == blended(colour_of(2), MAP_OPACITY)
    assert pixels[400, 600].tolist() == blended(colour_of(0), MAP_OPACITY)
    assert pixels[100, 600].tolist() == [GREY] * 3, "void"
    assert plate_pixels(pixels, 2).any(), "a region's label stands on a plate of its colour"
    assert pixels[0, 100].tolist() != [255, 255, 255], "no frame along the image's border"


def keypoint_prediction(scores: tuple[float, float]) -> Prediction:
    points = [[[200, 200, scores[0]], [200, 300, scores[1]]]]
    return Prediction([[100, 100, 400, 400]], [0.9], [0], keypoints=points)


LAYOUT = KeypointLayout(("head", "foot"), (0.1, 0.1), skeleton=((0, 1),))


def test_keypoints_and_the_line_between_them() -> None:
    pixels = drawn(keypoint_prediction((0.9, 0.8)), keypoints=LAYOUT)
    assert pixels[200, 200].tolist() == pixels[300, 200].tolist() == [255, 255, 255]
    assert pixels[250, 200].tolist() == list(colour_of(0))
    assert pixels[250, 206].tolist() == [GREY] * 3
    without = drawn(keypoint_prediction((0.9, 0.8)))
    assert without[200, 200].tolist() == [255, 255, 255]
    assert without[250, 200].tolist() == [GREY] * 3


def test_a_keypoint_that_was_not_found_is_not_drawn() -> None:
    pixels = drawn(keypoint_prediction((0.9, 0.0)), keypoints=LAYOUT)
    assert pixels[200, 200].tolist() == [255, 255, 255]
    assert pixels[300, 200].tolist() == pixels[250, 200].tolist() == [GREY] * 3
    nowhere = drawn(keypoint_prediction((0.0, -1.0)), keypoints=LAYOUT)
    assert (nowhere == drawn(Prediction([[100, 100, 400, 400]], [0.9], [0]))).all()


def test_keypoints_outside_the_image_do_no_harm() -> None:
    points = [[[-500, -500, 1.0], [5000, 200, 1.0]], [[9000, 9000, 1.0], [9001, 9000, 1.0]]]
    boxes = [[100, 100, 400, 400]] * 2
    assert drawn(Prediction(boxes, [0.9, 0.9], [0, 0], keypoints=points), keypoints=LAYOUT).any()


@pytest.mark.parametrize("field", ["masks", "semantic", "panoptic"])
def test_a_map_of_another_size_is_named(field: str) -> None:
    wrong = np.zeros((480, 100), np.uint8)
    prediction = {
        "masks": Prediction([[0, 0, 9, 9]], [0.9], [0], masks=wrong[None]),
        "semantic": Prediction(semantic=wrong),
        "panoptic": Prediction(panoptic=PanopticMap(wrong.astype(np.int32), (Segment(1, 0),))),
    }[field]
    with pytest.raises(ContractError, match=rf"{field}.*\(480, 100\).*image 7"):
        drawn(prediction)


def test_the_image_is_left_as_it_was() -> None:
    image = grey_image()
    labels = np.zeros((480, 640), np.uint8)
    drawn(Prediction([[10, 100, 200, 300]], [0.9], [0], semantic=labels), image)
    assert (image.pixels == GREY).all()


def test_colours_are_stable_and_apart() -> None:
    assert colour_of(0) == colour_of(0)
    colours = [colour_of(label) for label in range(24)]
    assert len(set(colours)) == 24
    nearest = min(
        float(np.linalg.norm(np.subtract(one, other))) for one, other in combinations(colours, 2)
    )
    assert nearest > 25, "of 441 at most"
    neighbours = [np.linalg.norm(np.subtract(colour_of(i), colour_of(i + 1))) for i in range(200)]
    assert min(neighbours) > 100
