"""Crops: where they lie, how large they are, and truth that follows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchsuite.errors import UsageError
from benchsuite.training.augmentation.sample_tensors import SemanticMap
from benchsuite_kernels.columns import rle
from benchsuite_plugins.transforms.cropping import (
    CategoryAreaCrop,
    FixedSizeCrop,
    RandomCrop,
    RandomExtent,
)
from benchsuite_plugins.transforms.iou_crop import MinIoURandomCrop, RandomIoUCrop

ONCE = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def numbered(height: int, width: int) -> np.ndarray:
    """Pixels that tell where they come from: row, column and 7."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return np.stack([rows, columns, np.full_like(rows, 7)], axis=-1)


def test_a_relative_crop_rounds_halves_up() -> None:
    assert RandomCrop("relative", [0.5, 0.3]).draw_size(5, 11) == (3, 3)
    assert RandomCrop("relative", [0.01, 0.01]).draw_size(5, 11) == (1, 1)


def test_an_absolute_crop_is_no_larger_than_the_image() -> None:
    assert RandomCrop("absolute", [4, 20]).draw_size(5, 11) == (4, 11)


@ONCE
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_relative_ranges_reach_from_the_share_to_the_whole(
    height: int, width: int, seed: int
) -> None:
    torch.manual_seed(seed)
    crop_height, crop_width = RandomCrop("relative_range", [0.9, 0.5]).draw_size(height, width)
    assert max(1, int(0.9 * height + 0.5)) <= crop_height <= height
    assert max(1, int(0.5 * width + 0.5)) <= crop_width <= width


def test_absolute_ranges_have_both_ends_and_end_with_the_image() -> None:
    transform = RandomCrop("absolute_range", [3, 6])
    torch.manual_seed(0)
    drawn = {transform.draw_size(5, 9) for _ in range(300)}
    assert {height for height, _ in drawn} == {3, 4, 5}
    assert {width for _, width in drawn} == {3, 4, 5, 6}
    assert RandomCrop("absolute_range", [3, 6]).draw_size(2, 3) == (2, 3)


def test_every_place_is_reached(make_example: Any, transformed: Any) -> None:
    example = make_example(4, 5, numbered(4, 5))
    corners = {
        tuple(transformed(RandomCrop("absolute", [3, 3]), example, seed).image.pixels[0, 0, :2])
        for seed in range(80)
    }
    assert corners == {(row, column) for row in range(2) for column in range(3)}


@ONCE
@given(st.integers(0, 10_000))
def test_a_crop_of_masks_is_the_crop_of_their_pixels(
    make_example: Any, transformed: Any, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    # Whole coordinates, where painting a polygon does not round.
    low = rng.integers(0, 20, 2)
    high = low + rng.integers(2, 20, 2)
    outline = np.array([low, [high[0], low[1]], high, [low[0], high[1]]], float)
    painted = rle.decode(rle.from_polygons([outline.ravel().tolist()], (40, 40)), (40, 40))
    example = make_example(
        40,
        40,
        numbered(40, 40),
        boxes=[[*low, *high]] * 2,
        labels=[0, 1],
        masks=[(outline,), painted.astype(bool)],
        semantic=painted.astype(np.int64),
    )
    transform = RandomCrop("relative_range", [0.3, 0.3])
    done = transformed(transform, example, seed, recompute_boxes=True)
    height, width = done.image.pixels.shape[:2]
    top, left = (int(value) for value in done.image.pixels[0, 0, :2])
    wanted = painted[top : top + height, left : left + width]
    np.testing.assert_array_equal(done.target.semantic, wanted)
    if not wanted.any():
        assert len(done.target) == 0
        return
    np.testing.assert_array_equal(done.target.masks[1], wanted)
    pieces = [piece.ravel().tolist() for piece in done.target.masks[0]]
    size = (height, width)
    np.testing.assert_array_equal(rle.decode(rle.from_polygons(pieces, size), size), wanted)
    np.testing.assert_array_equal(done.target.boxes[0], done.target.boxes[1])


def test_a_fixed_crop_pads_at_the_right_and_bottom(make_example: Any, transformed: Any) -> None:
    outline = np.array([[1.0, 1.0], [3.0, 1.0], [3.0, 3.0]])
    example = make_example(
        4,
        5,
        boxes=[[1, 1, 3, 3]],
        labels=[2],
        masks=[(outline,)],
        keypoints=[[[2, 2, 2]]],
        semantic=np.full((4, 5), 6),
        proposals=[[0, 0, 5, 4]],
    )
    done = transformed(FixedSizeCrop([6, 8]), example)
    np.testing.assert_array_equal(done.image.pixels[:4, :5], example.image.pixels)
    assert (done.image.pixels[4:] == 128).all() and (done.image.pixels[:, 5:] == 128).all()
    assert done.image.pixels.shape == (6, 8, 3)
    np.testing.assert_array_equal(done.target.boxes, [[1, 1, 3, 3]])
    np.testing.assert_array_equal(done.target.masks[0][0], outline)
    np.testing.assert_array_equal(done.target.keypoints, [[[2, 2, 2]]])
    np.testing.assert_array_equal(done.target.proposals, [[0, 0, 5, 4]])
    wanted = np.full((6, 8), -1)
    wanted[:4, :5] = 6
    np.testing.assert_array_equal(done.target.semantic, wanted)


@pytest.mark.parametrize(("value", "wanted"), [(255, -1), (-1, -1), (0, 0), (9, 9)])
def test_the_label_of_padding_is_as_told(
    make_example: Any, transformed: Any, value: int, wanted: int
) -> None:
    example = make_example(2, 2, semantic=np.full((2, 2), 4))
    done = transformed(FixedSizeCrop([3, 2], seg_pad_value=value), example)
    np.testing.assert_array_equal(done.target.semantic, [[4, 4], [4, 4], [wanted, wanted]])


def test_without_padding_a_smaller_image_stays_as_small(
    make_example: Any, transformed: Any
) -> None:
    example = make_example(4, 9, numbered(4, 9))
    for seed in range(5):
        assert transformed(FixedSizeCrop([6, 8], pad=False), example, seed).image.pixels.shape == (
            4,
            8,
            3,
        )


def test_a_fixed_crop_lies_as_far_down_as_to_the_right(make_example: Any, transformed: Any) -> None:
    example = make_example(30, 110, numbered(30, 110))
    corners = [
        transformed(FixedSizeCrop([10, 10]), example, seed).image.pixels[0, 0, :2].astype(int)
        for seed in range(50)
    ]
    assert max(abs(row / 20 - column / 100) for row, column in corners) < 0.04
    assert min(row for row, _ in corners) <= 1 and max(row for row, _ in corners) >= 19


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (3, 3)])
def test_images_too_small_to_cut_stay_whole(
    make_example: Any, transformed: Any, shape: tuple[int, int]
) -> None:
    example = make_example(*shape, boxes=[[0, 0, 1, 1]], labels=[0])
    for seed in range(5):
        done = transformed(RandomIoUCrop(), example, seed)
        assert done.image.pixels.shape == (*shape, 3)


def test_an_image_without_objects_stays_whole(make_example: Any, transformed: Any) -> None:
    example = make_example(30, 40)
    transform = RandomIoUCrop(sampler_options=[0.5])
    assert transformed(transform, example).image.pixels.shape == (30, 40, 3)


def test_objects_with_their_centre_outside_an_iou_crop_are_dropped(
    make_example: Any, transformed: Any
) -> None:
    boxes = np.array([[2, 2, 12, 12], [15, 15, 38, 28], [25, 2, 35, 9]], np.float32)
    outlines = [(box[[[0, 1], [2, 1], [2, 3], [0, 3]]],) for box in boxes]
    example = make_example(30, 40, numbered(30, 40), boxes=boxes, labels=[0, 1, 2], masks=outlines)
    fewer = 0
    for seed in range(30):
        done = transformed(RandomIoUCrop(), example, seed)
        height, width = done.image.pixels.shape[:2]
        top, left = (int(value) for value in done.image.pixels[0, 0, :2])
        x, y = (boxes[:, :2] + boxes[:, 2:]).T / 2
        inside = (left < x) & (x < left + width) & (top < y) & (y < top + height)
        if (height, width) != (30, 40):
            assert done.target.labels.tolist() == np.flatnonzero(inside).tolist()
            fewer += 1
        moved = boxes[done.target.labels] - [left, top, left, top]
        limits = [width, height, width, height]
        np.testing.assert_allclose(done.target.boxes, np.clip(moved, 0, limits), atol=1e-4)
        assert len(done.target.masks) == len(done.target)
    assert fewer > 10


def test_no_category_has_more_than_its_share_of_a_crop(make_example: Any, transformed: Any) -> None:
    semantic = np.zeros((40, 40), np.int64)
    semantic[:, 34:] = 1
    semantic[30:] = -1
    example = make_example(40, 40, semantic=semantic)
    bounded = CategoryAreaCrop("absolute", [10, 10], single_category_max_area=0.75)
    shares = []
    for seed in range(60):
        labels = transformed(bounded, example, seed).target.semantic
        _, areas = np.unique(labels[labels >= 0], return_counts=True)
        shares.append(areas.max(initial=0) / max(areas.sum(), 1) if len(areas) > 1 else 1.0)
    # Four of 31 columns will do: of ten draws one does in three cases of four.
    assert np.mean(np.array(shares) < 0.75) > 0.5
    free = CategoryAreaCrop("absolute", [10, 10], 0.75, ignored_category=0)
    assert not free._is_varied(sample_map(semantic[:10, 30:]))
    assert bounded._is_varied(sample_map(semantic[:10, 31:]))
    assert not bounded._is_varied(sample_map(semantic[:10, :10]))


def sample_map(labels: np.ndarray) -> SemanticMap:
    return SemanticMap(torch.from_numpy(labels + 1))


def test_an_extent_beyond_the_image_is_black_and_ignored(
    make_example: Any, transformed: Any
) -> None:
    example = make_example(
        20,
        30,
        np.full((20, 30, 3), 9, np.uint8),
        boxes=[[0, 0, 30, 20]],
        labels=[0],
        semantic=np.zeros((20, 30)),
    )
    done = transformed(RandomExtent([2.0, 2.0], [0.0, 0.0]), example)
    assert done.image.pixels.shape == (40, 60, 3)
    np.testing.assert_array_equal(done.target.boxes, [[15, 10, 45, 30]])
    np.testing.assert_array_equal(done.image.pixels[..., 0] == 9, done.target.semantic == 0)


def test_an_extent_lies_within_its_reach(make_example: Any, transformed: Any) -> None:
    example = make_example(40, 60, numbered(40, 60))
    transform = RandomExtent([0.5, 0.5], [0.5, 0.2])
    corners = np.array(
        [
            transformed(transform, example, seed).image.pixels[0, 0, :2].astype(int)
            for seed in range(80)
        ]
    )
    # About row 10 and column 15: a tenth of the height and a quarter of the width either way.
    assert corners.min(axis=0).tolist() == pytest.approx([6, 0], abs=1)
    assert corners.max(axis=0).tolist() == pytest.approx([14, 30], abs=1)


def test_every_object_overlaps_a_min_iou_crop_enough(make_example: Any, transformed: Any) -> None:
    boxes = np.array([[10, 10, 50, 40], [20, 5, 55, 45]], np.float32)
    example = make_example(50, 60, numbered(50, 60), boxes=boxes, labels=[0, 1])
    crops = 0
    for seed in range(40):
        done = transformed(MinIoURandomCrop([0.5], min_crop_size=0.4), example, seed)
        height, width = done.image.pixels.shape[:2]
        assert 0.45 <= height / width <= 2.1
        top, left = (int(value) for value in done.image.pixels[0, 0, :2])
        whole = (height, width) == (50, 60)
        crops += not whole
        moved = np.clip(boxes - [left, top, left, top], 0, [width, height, width, height])
        np.testing.assert_array_equal(done.target.boxes, moved)
    assert 15 < crops < 40
    far = make_example(50, 60, boxes=[[0, 0, 2, 2], [58, 48, 60, 50]], labels=[0, 1])
    only = MinIoURandomCrop([0.9], mode_trials=20)
    only.modes = (0.9,)
    assert transformed(only, far).image.pixels.shape == (50, 60, 3)


def test_a_min_iou_crop_of_an_image_without_objects(make_example: Any, transformed: Any) -> None:
    shapes = {
        transformed(MinIoURandomCrop(), make_example(30, 40), seed).image.pixels.shape
        for seed in range(20)
    }
    assert len(shapes) > 5


@pytest.mark.parametrize(
    "options",
    [
        ("relative", [0.5, 1.1]),
        ("relative_range", [0.0, 0.5]),
        ("absolute", [0, 5]),
        ("absolute_range", [6, 5]),
    ],
)
def test_impossible_crops_are_refused(options: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match=r"impossible|ascends"):
        RandomCrop(*options)


def test_an_unknown_kind_of_crop_is_named() -> None:
    with pytest.raises(UsageError, match="did you mean relative_range"):
        RandomCrop("relative_rnge", [0.5, 0.5])
    with pytest.raises(ValueError, match="at least a pixel"):
        FixedSizeCrop([0, 4])
