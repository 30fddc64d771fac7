"""A small model and dataset, registered for each test of the loop."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from benchsuite import (
    Category,
    DatasetSpec,
    Image,
    ImageRecord,
    ModelSpec,
    ParameterGroup,
    Prediction,
    RecipeSpec,
    build_truth,
    metric_selection,
    plugins,
    resolve,
)
from benchsuite.training import plan
from benchsuite.training.augmentation import augmentation
from benchsuite.training.loop import train
from benchsuite.training.plan import plan_training
from benchsuite.training.request import TrainingRequest

CATEGORIES = (Category(7, "square"),)
COUNT = 12


def side(i: int) -> int:
    return 4 + i


class Squares:
    """White squares, each in the corner of its image; train and val are alike."""

    categories, keypoints, tasks, annotation_sha256 = CATEGORIES, None, ("bbox",), "squares"

    def __init__(self, request: Any) -> None:
        self.first = 0 if request.split == "train" else 100

    def images(self) -> list[ImageRecord]:
        return [ImageRecord(self.first + i, f"{i}.png", 24, 20) for i in range(COUNT)]

    def load(self, record: ImageRecord) -> Image:
        pixels = np.zeros((record.height, record.width, 3), np.uint8)
        size = side(record.id % 100)
        pixels[:size, :size] = 255
        return Image(record, pixels)

    def truth(self, task: str) -> Any:
        annotations = [
            {
                "id": i + 1,
                "image_id": self.first + i,
                "category_id": 7,
                "bbox": [0, 0, side(i), side(i)],
                "area": side(i) ** 2,
            }
            for i in range(COUNT)
        ]
        return build_truth(self.images(), annotations, CATEGORIES)


class Measurer(nn.Module):
    """Learns the side of the square from the share of white pixels."""

    at_step: dict[int, Any] = {}  # noqa: RUF012  (what a test makes happen at a call)
    calls = 0
    dropout = 0.1
    seen: list[tuple[int, ...]] = []  # noqa: RUF012

    def __init__(self, request: Any) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(request.seed)
            self.hidden, self.out = nn.Linear(2, 8), nn.Linear(8, 1)
        self.noise = nn.Dropout(Measurer.dropout)
        self.frozen = nn.Parameter(torch.ones(3), requires_grad=False)
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64), persistent=False)
        self.to(request.device)

    def sides(self, images: Any) -> torch.Tensor:
        share = torch.tensor([float((each.pixels[..., 0] > 0).mean()) for each in images])
        inputs = torch.stack([share, share.sqrt()], 1)
        return 20 * self.out(self.noise(torch.relu(self.hidden(inputs))))[:, 0]

    def losses(self, images: Any, targets: Any) -> Any:
        Measurer.calls += 1
        Measurer.seen.append(tuple(each.record.id for each in images))
        happening = Measurer.at_step.get(Measurer.calls)
        wanted = torch.tensor([float(each.boxes[0, 2]) for each in targets])
        self.batches += 1
        loss = ((self.sides(images) - wanted) ** 2).mean() / 100
        # What is counted over batches must survive a resume too.
        counted = 1e-3 * self.batches * self.out.bias.square().sum()
        return {"side": happening(loss) if happening else loss, "counted": counted}

    def parameter_groups(self) -> list[ParameterGroup]:
        named = {n: p for n, p in self.named_parameters() if p.requires_grad}
        return [ParameterGroup(tuple(named), tuple(named.values()))]

    def predict(self, images: Any) -> list[Prediction]:
        with torch.no_grad():
            sides = self.sides(images).clamp(min=1).tolist()
        return [Prediction([[0, 0, each, each]], [0.9], [0]) for each in sides]


def recipe(name: str) -> dict[str, Any]:
    return {
        "training": {
            "iterations": 12,
            "images_per_batch": 4,
            "accumulate": 2,
            "optimizer": {"lr": 0.02, "weight_decay": 1e-3},
            "schedule": {"warmup_iters": 3, "steps": [9]},
            "validate_every": 4,
            "checkpoint_every": 5,
            "workers": 0,
            "seed": 3,
            "auto_scale": False,
        }
    }


@pytest.fixture(autouse=True)
def registry_(monkeypatch):
    """The real registry with ours beside it."""
    module = ModuleType("training_fixture")
    vars(module).update(Squares=Squares, Measurer=Measurer, recipe=recipe)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    Measurer.at_step, Measurer.calls, Measurer.seen, Measurer.dropout = {}, 0, [], 0.1
    found = plugins.load_registry(plugins.entry_points(group=plugins.GROUP))
    found.models["measurer"] = ModelSpec("measurer", ("bbox",), "training_fixture:Measurer")
    found.datasets["squares"] = DatasetSpec(
        "squares",
        tasks=("bbox",),
        factory="training_fixture:Squares",
        metrics=("coco_bbox",),
        splits=("val", "train"),
    )
    found.recipes["measurer_squares"] = RecipeSpec(
        "measurer_squares", "measurer", "squares", ("bbox",), "training_fixture:recipe"
    )
    for module_ in (plugins, resolve, metric_selection, plan, augmentation):
        monkeypatch.setattr(module_, "registry", lambda: found)
    return found


@pytest.fixture
def small():
    """The model, the dataset, and what the tests do with them."""
    return SimpleNamespace(
        Squares=Squares,
        Measurer=Measurer,
        COUNT=COUNT,
        side=side,
        run=run,
        silent=silent,
        weights=weights,
        assert_same=assert_same,
    )


@pytest.fixture
def request_(tmp_path):
    return TrainingRequest("measurer_squares", threads=1, out=tmp_path / "out", device="cpu")


def run(request, **training):
    return train(plan_training(replace(request, overrides={"training": training})), silent)


def silent(line: str) -> None:
    """Takes what the training tells."""


def weights(outcome, name="last"):
    return load_file(outcome.weights[name])


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name
