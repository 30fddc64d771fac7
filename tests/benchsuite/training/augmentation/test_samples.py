"""Examples become samples and come back, with what transforms did to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from benchsuite.errors import ContractError
from benchsuite.records import RLE, Image, ImageRecord
from benchsuite.targets import Target
from benchsuite.training.augmentation.sample_tensors import Boxes, Keypoints, Points, Regions
from benchsuite.training.augmentation.samples import Sample, example_of, sample_of
from benchsuite.training.data.example import Example
from benchsuite_kernels.columns import rle

SQUARE = np.array([[2.0, 1.0], [6.0, 1.0], [6.0, 4.0], [2.0, 4.0]])


def example(height: int = 8, width: int = 10, **target: Any) -> Example:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
    return Example(Image(ImageRecord(3, "a.png", width, height), pixels), Target(**target))


def bitmap(height: int = 8, width: int = 10) -> np.ndarray:
    mask = np.zeros((height, width), np.bool_)
    mask[1:4, 2:6] = True
    return mask


def everything() -> Example:
    mask = bitmap()
    return example(
        boxes=[[2, 1, 6, 4]] * 3,
        labels=[4, 5, 6],
        masks=[(SQUARE,), mask, RLE(mask.shape, rle.encode(mask))],
        keypoints=[[[2.5, 1.5, 2], [5.5, 3.5, 1], [0, 0, 0]]] * 3,
        semantic=np.where(mask, 7, 255).astype(np.uint8),
        proposals=[[0, 0, 10, 8], [2, 1, 6, 4]],
    )


def moved(sample: Sample, functional: Any, *args: Any, **kwargs: Any) -> Sample:
    return {
        key: functional(value, *args, **kwargs) if isinstance(value, tv_tensors.TVTensor) else value
        for key, value in sample.items()
    }


def test_an_example_comes_back_as_it_was() -> None:
    given = everything()
    back = example_of(sample_of(given), given)
    assert back.image.record == given.image.record
    np.testing.assert_array_equal(back.image.pixels, given.image.pixels)
    assert back.image.pixels.flags.c_contiguous
    for name in ("boxes", "labels", "semantic", "proposals", "keypoints"):
        np.testing.assert_array_equal(getattr(back.target, name), getattr(given.target, name))
    outline, first, second = back.target.masks
    np.testing.assert_array_equal(outline[0], SQUARE)
    np.testing.assert_array_equal(first, bitmap())
    np.testing.assert_array_equal(second, bitmap())


def test_an_example_without_anything_comes_back() -> None:
    given = example(masks=(), keypoints=np.zeros((0, 3, 3)))
    back = example_of(moved(sample_of(given), F.horizontal_flip), given)
    assert len(back.target) == 0
    assert back.target.masks == () and back.target.keypoints.shape == (0, 3, 3)
    assert back.target.semantic is None and back.target.proposals is None


def test_only_the_fields_asked_for_are_there() -> None:
    sample = sample_of(everything(), fields=("semantic",))
    assert set(sample) == {"image", "boxes", "labels", "semantic"}


def test_a_mirrored_point_goes_from_x_to_width_minus_x() -> None:
    points = Points([[0.0, 0.0], [2.5, 1.0]], canvas_size=(8, 10))
    assert F.horizontal_flip(points).tolist() == [[10, 0], [7.5, 1]]
    assert F.vertical_flip(points).tolist() == [[0, 8], [2.5, 7]]


@pytest.mark.parametrize("flip", [F.horizontal_flip, F.vertical_flip])
def test_mirroring_everything_twice_changes_nothing(flip: Any) -> None:
    given = everything()
    sample = sample_of(given, flip_pairs=((0, 1),))
    once = moved(sample, flip)
    assert not torch.equal(once["keypoints"], sample["keypoints"])
    twice = example_of(moved(once, flip), given)
    for name in ("boxes", "semantic", "proposals", "keypoints"):
        np.testing.assert_array_equal(getattr(twice.target, name), getattr(given.target, name))
    np.testing.assert_array_equal(twice.target.masks[0][0], SQUARE)


def test_left_and_right_change_places_in_a_mirrored_image() -> None:
    keypoints = Keypoints(
        [[[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]],
        [[2, 1, 0]],
        canvas_size=(8, 10),
        flip_pairs=((1, 2),),
    )
    mirrored = F.horizontal_flip(keypoints)
    assert mirrored.tolist() == [[[9, 1], [7, 3], [8, 2]]]
    assert mirrored.visibility.tolist() == [[2, 0, 1]]


def test_a_crop_takes_everything_along() -> None:
    given = everything()
    back = example_of(moved(sample_of(given), F.crop, top=2, left=3, height=4, width=5), given)
    np.testing.assert_array_equal(back.image.pixels, given.image.pixels[2:6, 3:8])
    np.testing.assert_array_equal(back.target.boxes, [[0, 0, 3, 2]] * 3)
    outline, first, second = back.target.masks
    assert {tuple(point) for point in outline[0]} == {(0, 0), (3, 0), (3, 2), (0, 2)}
    np.testing.assert_array_equal(first, bitmap()[2:6, 3:8])
    np.testing.assert_array_equal(second, bitmap()[2:6, 3:8])
    # The first point lies left of and above the crop; what is not labelled lies at 0, 0.
    np.testing.assert_array_equal(back.target.keypoints[0], [[0, 0, 0], [2.5, 1.5, 1], [0, 0, 0]])
    np.testing.assert_array_equal(back.target.semantic, given.target.semantic[2:6, 3:8])
    np.testing.assert_array_equal(back.target.proposals, [[0, 0, 5, 4], [0, 0, 3, 2]])


def test_what_a_crop_cut_off_does_not_come_back_in_padding() -> None:
    given = everything()
    cropped = moved(sample_of(given), F.crop, top=2, left=3, height=4, width=5)
    back = example_of(moved(cropped, F.pad, [4, 4, 4, 4]), given)
    np.testing.assert_array_equal(back.target.boxes, [[4, 4, 7, 6]] * 3)
    assert back.target.masks[0][0].min(axis=0).tolist() == [4, 4]
    np.testing.assert_array_equal(back.target.keypoints[0, 0], [0, 0, 0])


def test_instances_that_a_crop_loses_go_with_all_that_is_of_them() -> None:
    far = SQUARE + 3
    given = example(
        boxes=[[2, 1, 6, 4], [5, 4, 9, 7]],
        labels=[1, 2],
        masks=[(SQUARE,), (far,)],
        keypoints=[[[3, 2, 2]], [[6, 5, 2]]],
    )
    back = example_of(moved(sample_of(given), F.crop, top=4, left=5, height=4, width=5), given)
    assert back.target.labels.tolist() == [2]
    np.testing.assert_array_equal(back.target.masks[0][0], far - (5, 4))
    np.testing.assert_array_equal(back.target.keypoints, [[[1, 1, 2]]])
    none = example_of(moved(sample_of(given), F.crop, top=0, left=9, height=1, width=1), given)
    assert len(none.target) == 0 and none.target.masks == ()


def test_an_instance_without_a_mask_is_dropped_where_masks_are_learnt() -> None:
    given = example(boxes=[[2, 1, 6, 4]] * 2, labels=[1, 2], masks=[(), (SQUARE,)])
    assert example_of(sample_of(given), given).target.labels.tolist() == [2]
    assert len(example_of(sample_of(given, fields=()), given).target) == 2


def test_boxes_are_made_anew_round_masks_when_asked_for() -> None:
    triangle = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    mask = np.zeros((8, 10), np.bool_)
    mask[0, 1] = True
    given = example(boxes=[[0, 0, 2, 2]] * 2, labels=[1, 2], masks=[(triangle,), mask])
    sample = moved(sample_of(given), F.crop, top=0, left=1, height=2, width=1)
    kept = example_of(sample, given).target.boxes
    np.testing.assert_array_equal(kept, [[0, 0, 1, 2]] * 2)
    anew = example_of(sample, given, recompute_boxes=True).target.boxes
    np.testing.assert_array_equal(anew, [[0, 0, 1, 1]] * 2)


def test_a_box_with_a_side_below_the_bound_is_empty() -> None:
    boxes = [[1, 1, 1.000001, 5], [1, 1, 1.1, 5], [12, 1, 15, 5]]
    given = example(boxes=boxes, labels=[1, 2, 3])
    assert example_of(sample_of(given), given).target.labels.tolist() == [2]


def test_new_ground_of_a_semantic_map_is_ignored() -> None:
    given = everything()
    padded = moved(sample_of(given), F.pad, [1, 0, 0, 2])
    semantic = example_of(padded, given).target.semantic
    assert (semantic[:, 0] == -1).all() and (semantic[8:] == -1).all()
    np.testing.assert_array_equal(semantic[:8, 1:], given.target.semantic)


@pytest.mark.parametrize("expand", [False, True])
@pytest.mark.parametrize("count", [0, 2])
def test_rotating_moves_points_with_their_pixels(expand: bool, count: int) -> None:
    square = np.array([[30.0, 20.0], [50.0, 20.0], [50.0, 40.0], [30.0, 40.0]])
    mask = np.zeros((60, 80), np.bool_)
    mask[20:40, 30:50] = True
    given = example(
        60,
        80,
        boxes=[[30, 20, 50, 40]] * count,
        labels=[1] * count,
        masks=[(square,), mask][:count],
    )
    sample = moved(sample_of(given), F.rotate, 30.0, expand=expand)
    back = example_of(sample, given, recompute_boxes=True)
    assert len(back.target) == count
    if count:
        outlined, painted = back.target.boxes
        np.testing.assert_allclose(outlined, painted, atol=1.5)


def test_any_transform_of_torchvision_takes_a_sample() -> None:
    given = everything()
    chain = v2.Compose(
        [
            v2.RandomPhotometricDistort(p=1.0),
            v2.RandomZoomOut(p=1.0),
            v2.RandomIoUCrop(),
            v2.RandomHorizontalFlip(p=1.0),
            v2.RandomVerticalFlip(p=1.0),
            v2.RandomShortestSize([26, 32], max_size=80),
            v2.RandomAffine(10, (0.1, 0.1), (0.8, 1.2), 5),
            v2.RandomPerspective(p=1.0),
            v2.RandomResizedCrop((27, 29)),
            v2.ElasticTransform(sigma=1.0),
            v2.CenterCrop((6, 6)),
        ]
    )
    for seed in range(10):
        torch.manual_seed(seed)
        back = example_of(chain(sample_of(given)), given)
        assert back.image.pixels.shape == (6, 6, 3)
        assert back.target.semantic.shape == (6, 6)


def test_clone_and_detach_keep_what_they_are_of() -> None:
    sample = sample_of(everything(), flip_pairs=((0, 1),))
    for key, kind in (("keypoints", Keypoints), ("proposals", Regions), ("outlines", None)):
        clone = sample[key].clone()
        assert type(clone) is (kind or type(sample[key]))
        assert clone.canvas_size == (8, 10)
    assert sample["keypoints"].detach().flip_pairs == ((0, 1),)
    assert sample["outlines"].clone().lengths.tolist() == [4]


def test_boxes_are_scaled_in_float64_and_rounded_once() -> None:
    boxes = np.array([[10.1, 20.2, 333.3, 444.4]], np.float32)
    given = example(480, 640, boxes=boxes, labels=[0])
    sample = moved(sample_of(given), F.resize, [800, 1067])
    wanted = np.float32(boxes.astype(np.float64) * np.tile([1067 / 640, 800 / 480], 2))
    np.testing.assert_array_equal(example_of(sample, given).target.boxes, wanted)


def test_a_transform_that_leaves_pieces_of_two_sizes_is_named() -> None:
    given = everything()
    sample = sample_of(given)
    sample["boxes"] = Boxes(sample["boxes"], canvas_size=(7, 10))
    with pytest.raises(ContractError, match="boxes for one 7 high and 10 wide"):
        example_of(sample, given)
    with pytest.raises(ContractError, match="float32"):
        example_of(sample_of(given) | {"image": torch.zeros((3, 8, 10))}, given)
    with pytest.raises(ContractError, match="2 labels"):
        example_of(sample_of(given) | {"labels": torch.zeros(2)}, given)


def test_a_mask_of_another_size_than_its_image_is_named() -> None:
    given = example(boxes=[[0, 0, 1, 1]], labels=[0], masks=[np.ones((4, 4), np.bool_)])
    with pytest.raises(ContractError, match="mask 0 is 4 high and 4 wide"):
        sample_of(given)
