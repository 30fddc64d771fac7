"""Losses of a validation, held against losses of targets that were scaled by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from pycocotools import mask as coco_masks

from benchsuite.devices import use_device
from benchsuite.errors import ContractError
from benchsuite.inference import build_model
from benchsuite.pairing import pair_categories
from benchsuite.records import RLE, Image, ImageRecord
from benchsuite.resolve import open_dataset, resolve_model
from benchsuite.targets import Target
from benchsuite.training.data.example import Example
from benchsuite.training.data.training_set import TrainingSet
from benchsuite.training.order.random_keys import Purpose, random_seed
from benchsuite.training.validation.evaluation_mode import evaluation_mode
from benchsuite.training.validation.validation_loss import TOTAL, ValidationLoss, as_seen

NARROW = {
    "input": {"min_size_test": 96, "max_size_test": 130},
    "resnet": {
        "stem_out_channels": 8,
        "res2_out_channels": 32,
        "width_per_group": 8,
        "norm": "BN",
    },
    "fpn": {"out_channels": 16},
    "rpn": {"pre_nms_topk_test": 50, "post_nms_topk_test": 20},
    "box_head": {"fc_dim": 16},
    "mask_head": {"conv_dim": 8},
}


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingSet:
    monkeypatch.setenv("BENCHSUITE_CACHE", str(tmp_path))
    opened = open_dataset("shapes", overrides={"count": 3, "size": 64})
    categories, _ = pair_categories(None, opened, ("bbox", "segm"))
    return TrainingSet(opened, categories, tasks=("bbox", "segm"))


@pytest.fixture
def model(examples: TrainingSet) -> Any:
    resolved = resolve_model("mask_rcnn", dataset="", weights="random", overrides=NARROW)
    opened = open_dataset("shapes", overrides={"count": 3, "size": 64})
    categories, _ = pair_categories(None, opened, ("bbox", "segm"))
    device = use_device("cpu", threads=1, seed=0)
    return build_model(resolved, categories, weights=None, device=device, seed=0)


def scaled(mask: RLE, size: tuple[int, int]) -> np.ndarray:
    bitmap = coco_masks.decode({"counts": mask.counts, "size": list(mask.size)})
    resized = PIL.Image.fromarray(bitmap).resize(size, PIL.Image.Resampling.NEAREST)
    return np.array(resized).astype(bool)


def by_hand(example: Example, seed: int) -> Example:
    """At the size of the test: 96 pixels the shorter side, 130 at most the longer."""
    height, width = example.image.height, example.image.width
    scale = min(96 / min(height, width), 130 / max(height, width))
    size = int(scale * width + 0.5), int(scale * height + 0.5)
    pixels = PIL.Image.fromarray(example.image.pixels).resize(size, PIL.Image.Resampling.BILINEAR)
    factor = np.array([size[0] / width, size[1] / height])
    target = replace(
        example.target,
        boxes=example.target.boxes * np.tile(factor, 2),
        masks=[scaled(mask, size) for mask in example.target.masks],
        seed=seed,
    )
    return Example(replace(example.image, pixels=np.array(pixels)), target)


def test_means_are_those_of_targets_scaled_by_hand(examples: TrainingSet, model: Any) -> None:
    with evaluation_mode(model):
        found = ValidationLoss(examples, seed=7, limit=2)(model)
    terms: list[dict[str, float]] = []
    for place in range(2):
        seed = random_seed(Purpose.VALIDATION, 7, place)
        example = by_hand(examples.example(place), seed)
        torch.manual_seed(seed)
        with torch.no_grad():
            losses = model.losses([example.image], [example.target])
        terms.append({name: float(value) for name, value in losses.items()})
    expected = {f"loss/{name}": (terms[0][name] + terms[1][name]) / 2 for name in terms[0]}
    assert found.keys() == {TOTAL, *expected}
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert found[TOTAL] == pytest.approx(sum(expected.values()), rel=1e-4)
    assert len(expected) == 5


def test_nothing_is_drawn_anew_and_nothing_is_learnt(examples: TrainingSet, model: Any) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    measure = ValidationLoss(examples, seed=0)
    model.train()
    found = []
    for chance in range(2):
        torch.manual_seed(chance)
        with evaluation_mode(model):
            found.append(measure(model))
    assert found[0] == found[1]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_another_seed_draws_others(examples: TrainingSet, model: Any) -> None:
    with evaluation_mode(model):
        one, other = (ValidationLoss(examples, seed=seed)(model)[TOTAL] for seed in (0, 1))
    assert one != other and abs(one - other) < 0.2 * one


class Doubled:
    """Sees everything twice as large and three times as wide."""

    def resized(self, image: Image) -> Image:
        return replace(image, pixels=image.pixels.repeat(2, axis=0).repeat(3, axis=1))


def test_everything_of_a_target_goes_with_the_image() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    bitmap = rng.random((4, 6)) < 0.5
    bitmap[1, 2] = True
    target = Target(
        boxes=[[1, 1, 4, 3], [0, 0, 6, 4]],
        labels=[2, 0],
        masks=[[[1, 1, 4, 1, 4, 3]], bitmap],
        keypoints=[[[1.5, 2.5, 2]], [[0, 0, 0]]],
        semantic=rng.integers(-1, 3, (4, 6)),
        proposals=[[0, 0, 3, 3]],
    )
    example = Example(Image(ImageRecord(3, "a.png", 6, 4), pixels), target)
    seen = as_seen(example, Doubled())
    assert np.array_equal(seen.image.pixels, pixels.repeat(2, axis=0).repeat(3, axis=1))
    assert seen.target.boxes.tolist() == [[3, 2, 12, 6], [0, 0, 18, 8]]
    assert seen.target.labels.tolist() == [2, 0]
    assert [piece.tolist() for piece in seen.target.masks[0]] == [[[3, 2], [12, 2], [12, 6]]]
    assert np.array_equal(seen.target.masks[1], bitmap.repeat(2, axis=0).repeat(3, axis=1))
    assert seen.target.keypoints.tolist() == [[[4.5, 5, 2]], [[0, 0, 0]]]
    expected = target.semantic.repeat(2, axis=0).repeat(3, axis=1)
    assert np.array_equal(seen.target.semantic, expected)
    assert seen.target.proposals.tolist() == [[0, 0, 9, 6]]
    assert as_seen(example, object()) is example


def test_a_model_without_losses(examples: TrainingSet) -> None:
    with pytest.raises(ContractError, match=r"Linear has no losses"):
        ValidationLoss(examples, seed=0)(torch.nn.Linear(1, 1))
