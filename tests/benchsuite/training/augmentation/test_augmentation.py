"""Augmentations built from tables; what they draw follows from the seed alone."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from benchsuite.errors import UsageError
from benchsuite.plugins import registry
from benchsuite.records import Image, ImageRecord
from benchsuite.specs import KeypointLayout, TransformSpec
from benchsuite.targets import Target
from benchsuite.training.augmentation.augmentation import Augmentation, build_augmentation, seeded
from benchsuite.training.data.example import Example

RESIZE = {"type": "ResizeShortestEdge", "min_size": [20, 40], "sampling": "range"}
FLIP = {"type": "RandomFlip", "prob": 0.5}


def example(number: int = 0, height: int = 24, width: int = 32) -> Example:
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
    outline = np.array([[4.0, 3.0], [20.0, 3.0], [20.0, 15.0]])
    target = Target(
        boxes=[[4, 3, 20, 15]],
        labels=[number],
        masks=[(outline,)],
        keypoints=[[[5, 4, 2], [9, 8, 1]]],
        semantic=np.zeros((height, width), np.int64),
        proposals=[[0, 0, 9, 9]],
        seed=5,
    )
    return Example(Image(ImageRecord(number, "", width, height), pixels), target)


def no_other(k: int) -> Example:
    raise AssertionError("nothing mixes examples here")


class Brighter(v2.Transform):
    """Draws from all three global generators."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if inpt.dtype != torch.uint8 or inpt.ndim != 3:
            return inpt
        drawn = int(torch.randint(40, ())) + random.randrange(40) + np.random.randint(40)  # noqa: NPY002
        return type(inpt)(inpt // 2 + drawn)


class Collage(v2.Transform):
    """Takes the labels of others as its own."""

    examples_needed = 3
    fields_needed = ("masks",)

    def forward(self, samples: Any) -> Any:
        first, third = samples[0], samples[2]
        return first | {"labels": third["labels"] + 100 * len(samples)}


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Adds a transform of this file to those that tables can name."""

    def add(name: str, attribute: str) -> None:
        spec = TransformSpec(name, f"{__name__}:{attribute}")
        monkeypatch.setitem(registry().transforms, name, spec)

    return add


def test_a_seed_says_it_all() -> None:
    augmentation = Augmentation([Brighter(), v2.RandomHorizontalFlip()])
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1]  # noqa: NPY002
    first = augmentation(example(), 7, no_other)
    torch.manual_seed(99)
    random.seed(99)
    again = augmentation(example(), 7, no_other)
    other = augmentation(example(), 8, no_other)
    np.testing.assert_array_equal(first.image.pixels, again.image.pixels)
    assert (first.image.pixels != other.image.pixels).any()
    random.setstate(before[1])
    torch.set_rng_state(before[0])
    augmentation(example(), 7, no_other)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    np.testing.assert_array_equal(np.random.get_state()[1], before[2])  # noqa: NPY002


def test_generators_go_on_after_an_error() -> None:
    state = torch.get_rng_state()
    with pytest.raises(RuntimeError), seeded(2**70):
        torch.rand(3)
        raise RuntimeError
    assert torch.equal(torch.get_rng_state(), state)


def test_the_example_given_is_not_changed() -> None:
    given, untouched = example(), example()
    augmentation = build_augmentation([RESIZE, FLIP], tasks=("bbox", "segm", "keypoints"))
    for seed in range(4):
        augmentation(given, seed, no_other)
    np.testing.assert_array_equal(given.image.pixels, untouched.image.pixels)
    np.testing.assert_array_equal(given.target.boxes, untouched.target.boxes)
    np.testing.assert_array_equal(given.target.masks[0][0], untouched.target.masks[0][0])
    np.testing.assert_array_equal(given.target.keypoints, untouched.target.keypoints)


def test_pixels_are_contiguous_and_of_their_own_size() -> None:
    augmentation = build_augmentation([RESIZE, FLIP], tasks=("bbox",))
    for seed in range(8):
        done = augmentation(example(), seed, no_other)
        assert done.image.pixels.flags.c_contiguous
        assert 20 <= done.image.height <= 40
        assert done.target.seed == 5


@pytest.mark.parametrize(
    ("tasks", "kept"),
    [
        (("bbox",), {"proposals"}),
        (("bbox", "segm"), {"proposals", "masks"}),
        (("bbox", "keypoints"), {"proposals", "keypoints"}),
        (("semantic",), {"proposals", "semantic"}),
        (("bbox", "segm", "panoptic"), {"proposals", "masks", "semantic"}),
    ],
)
def test_what_no_task_learns_is_neither_read_nor_kept(
    tasks: tuple[str, ...], kept: set[str]
) -> None:
    augmentation = build_augmentation([FLIP], tasks=tasks)
    assert augmentation.fields_read == kept
    target = augmentation(example(), 0, no_other).target
    fields = {"masks", "keypoints", "semantic", "proposals"}
    assert {name for name in fields if getattr(target, name) is not None} == kept


def test_masks_are_read_but_not_kept_where_boxes_alone_need_them() -> None:
    augmentation = build_augmentation([FLIP], tasks=("bbox",), recompute_boxes=True)
    assert "masks" in augmentation.fields_read
    assert augmentation.tasks_read == ("bbox", "segm")
    assert augmentation(example(), 0, no_other).target.masks is None


def test_an_example_without_what_is_needed_is_told() -> None:
    augmentation = build_augmentation([FLIP], tasks=("bbox",), recompute_boxes=True)
    given = example()
    bare = Example(given.image, replace(given.target, masks=None))
    with pytest.raises(UsageError, match="needs masks, and the dataset has none"):
        augmentation(bare, 0, no_other)


def test_the_layout_says_which_keypoints_change_places() -> None:
    layout = KeypointLayout(("left", "right"), (0.1, 0.1), flip_pairs=((0, 1),))
    table = {"type": "RandomFlip", "prob": 1.0}
    augmentation = build_augmentation([table], tasks=("keypoints",), keypoints=layout)
    points = augmentation(example(), 0, no_other).target.keypoints
    np.testing.assert_array_equal(points, [[[23, 8, 1], [27, 4, 2]]])


def test_tables_within_tables_become_transforms() -> None:
    inner = {"type": "AugmentationList", "augs": [RESIZE, {"type": "RandomFlip", "prob": 1.0}]}
    augmentation = build_augmentation(
        [{"type": "RandomApply", "prob": 0.5, "tfm_or_aug": inner}], tasks=("bbox",)
    )
    changed = [
        augmentation(example(), seed, no_other).target.boxes[0, 0] != 4 for seed in range(60)
    ]
    assert 15 < sum(changed) < 45


def test_a_mixing_transform_sees_others_as_those_before_it_made_them(
    register: Callable[[str, str], None],
) -> None:
    register("Collage", "Collage")
    taken: list[int] = []

    def other(k: int) -> Example:
        taken.append(k)
        return example(10 + k)

    augmentation = build_augmentation([RESIZE, {"type": "Collage"}, FLIP], tasks=("bbox",))
    assert augmentation.fields_read == {"masks", "proposals"}
    done = augmentation(example(), 3, other)
    # The second of the others; the third was never looked at, and so not loaded.
    assert done.target.labels.tolist() == [411]
    assert taken == [0, 1]
    assert done.target.masks is None


def test_each_of_two_mixing_transforms_has_others_of_its_own(
    register: Callable[[str, str], None],
) -> None:
    register("Collage", "Collage")
    taken: list[int] = []

    def other(k: int) -> Example:
        taken.append(k)
        return example(k)

    table = {"type": "Collage"}
    build_augmentation([table, table], tasks=("bbox",))(example(), 0, other)
    assert taken == list(range(8))


def test_a_mixing_transform_cannot_stand_within_another(
    register: Callable[[str, str], None],
) -> None:
    register("Collage", "Collage")
    table = {"type": "RandomApply", "tfm_or_aug": {"type": "Collage"}}
    with pytest.raises(UsageError, match="'RandomApply' is given one that mixes"):
        build_augmentation([table], tasks=("bbox",))


def test_an_augmentation_can_be_sent_to_a_worker() -> None:
    augmentation = build_augmentation([RESIZE, FLIP], tasks=("bbox", "segm"))
    sent = pickle.loads(pickle.dumps(augmentation))
    here, there = (each(example(), 4, no_other) for each in (augmentation, sent))
    np.testing.assert_array_equal(here.image.pixels, there.image.pixels)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"type": "ResizeShortestEgde"}, "did you mean ResizeShortestEdge"),
        ({"prob": 0.5}, "must name its transform"),
        ({"type": "RandomFlip", "probability": 0.5}, "option of transform RandomFlip.*prob"),
        ({"type": "ResizeShortestEdge"}, "must be told min_size"),
        ({"type": "RandomFlip", "direction": "horizontl"}, "did you mean horizontal"),
        ({"type": "ResizeScale", "min_scale": 2, "max_scale": 1, "target_height": 8,
          "target_width": 8}, "cannot be made"),
        ({"type": "RandomApply", "tfm_or_aug": {"type": "Nothing"}}, "unknown transform 'Nothing'"),
    ],
)  # fmt: skip
def test_what_cannot_be_built_is_told(table: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_augmentation([table], tasks=("bbox",))
