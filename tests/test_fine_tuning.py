"""A recipe trained on a COCO-format file with other categories, from its own weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchsuite.errors import DataMissingError
from benchsuite.plugins import registry
from benchsuite.protocols import ModelRequest
from benchsuite.specs import Category, RecipeSpec
from benchsuite.training.beginning import begin
from benchsuite.training.dry_run import explain
from benchsuite.training.loop import train
from benchsuite.training.plan import TrainingRequest, plan_training
from benchsuite_plugins.models.mask_rcnn import MaskRCNNOptions, create
from benchsuite_plugins.models.options import (
    BoxHeadOptions,
    FPNOptions,
    MaskHeadOptions,
    ResNetOptions,
)

OPTIONS = MaskRCNNOptions(
    resnet=ResNetOptions(
        stem_out_channels=4, res2_out_channels=8, width_per_group=4, norm="BN", freeze_at=0
    ),
    fpn=FPNOptions(out_channels=8),
    box_head=BoxHeadOptions(fc_dim=8),
    mask_head=MaskHeadOptions(conv_dim=8),
)
RECIPE = """
from benchsuite.specs import Category

def read(name):
    return {
        "weights": {"url": %r},
        "categories": (Category(1, "ant"), Category(2, "bee")),
        "model_options": {
            "resnet": {
                "stem_out_channels": 4, "res2_out_channels": 8, "width_per_group": 4,
                "norm": "BN", "freeze_at": 0,
            },
            "fpn": {"out_channels": 8},
            "box_head": {"fc_dim": 8},
            "mask_head": {"conv_dim": 8},
        },
        "training": {
            "init": "detectron2://ImageNetPretrained/MSRA/R-50.pkl",
            "iterations": 90000,
            "images_per_batch": 16,
            "optimizer": {"lr": 0.02},
            "schedule": {"steps": [60000, 80000]},
            "augmentations": [{"type": "RandomFlip", "prob": 0.5}],
        },
    }
"""


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """A registered recipe's, which tells ants from bees."""
    categories = (Category(1, "ant"), Category(2, "bee"))
    state = create(ModelRequest(OPTIONS, categories, seed=5)).state_dict()
    path = tmp_path / "insects.safetensors"
    save_file(state, path)
    (tmp_path / "zoo_of_insects.py").write_text(RECIPE % path.as_uri())
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "zoo_of_insects", raising=False)
    monkeypatch.setenv("BENCHSUITE_CACHE", str(tmp_path / "cache"))
    spec = RecipeSpec(
        "insects", "mask_rcnn", "coco", ("bbox", "segm"), "zoo_of_insects:read",
        weights_url=path.as_uri(),
    )  # fmt: skip
    monkeypatch.setitem(registry().recipes, "insects", spec)
    return state


@pytest.fixture
def own_data(tmp_path: Path) -> Path:
    """Bees, and two kinds that the recipe does not know."""
    names = ("wasp", "bee", "fly")
    images, annotations = [], []
    for index in range(3):
        pixels = np.random.default_rng(index).integers(0, 255, (48, 64, 3), np.uint8)
        PIL.Image.fromarray(pixels).save(tmp_path / f"{index}.png")
        images.append({"id": index, "file_name": f"{index}.png", "width": 64, "height": 48})
        annotations.append(
            {
                "id": index + 1,
                "image_id": index,
                "category_id": 10 + index,
                "bbox": [8, 8, 30, 20],
                "area": 600,
                "iscrowd": 0,
                "segmentation": [[8, 8, 38, 8, 38, 28, 8, 28]],
            }
        )
    categories = [{"id": 10 + index, "name": name} for index, name in enumerate(names)]
    file = tmp_path / "own.json"
    file.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    return file


def request(own_data: Path, tmp_path: Path, **training: Any) -> TrainingRequest:
    return TrainingRequest(
        recipe="insects",
        dataset=str(own_data),
        images=own_data.parent,
        validate_on="none",
        device="cpu",
        threads=1,
        workers=0,
        overrides={"training": {"images_per_batch": 2, **training}},
        out=tmp_path / "training",
    )


def test_one_command(weights: dict[str, Tensor], own_data: Path, tmp_path: Path) -> None:
    plan = plan_training(request(own_data, tmp_path, iterations=1, optimizer={"lr": 1e-12}))
    told: list[str] = []
    train(plan, told.append)
    heads = (
        "roi_heads.box_predictor.cls_score, roi_heads.box_predictor.bbox_pred, "
        "roi_heads.mask_head.predictor"
    )
    scaled, started, drawn = told
    assert scaled.startswith(
        "2 images a step in place of 16, 1 iterations in place of 90000: "
        "steps [60000, 80000] -> [1], warmup_iters 1000 -> 0 ("
    )
    assert started == f"starts from insects: {len(weights)} of the model's {len(weights)} values"
    assert drawn == f"drawn anew for other classes: {heads}; kept: bee"
    identity = json.loads((plan.out / "training.json").read_text())["identity"]
    assert [each["name"] for each in identity["categories"]] == ["wasp", "bee", "fly"]
    trained = load_file(plan.out / "last" / "model.safetensors")
    name = "roi_heads.box_predictor.cls_score.weight"
    # The learning rate is so low that nothing has moved. Wasp, bee, fly and background here, ant,
    # bee and background there.
    assert trained[name].shape == (4, 8)
    assert torch.equal(trained[name][[1, 3]], weights[name][[1, 2]])
    assert not torch.isin(trained[name][[0, 2]], weights[name]).any()
    assert torch.equal(
        trained["backbone.bottom_up.stem.conv1.weight"],
        weights["backbone.bottom_up.stem.conv1.weight"],
    )


def test_what_it_starts_from(weights: dict[str, Tensor], own_data: Path, tmp_path: Path) -> None:
    plan = plan_training(request(own_data, tmp_path))
    assert plan.options.init == "insects"
    located = explain(plan)["init"]
    assert (located["name"], located["present"]) == ("insects", True)
    given = request(own_data, tmp_path, init="random")
    assert explain(plan_training(given))["init"] == "random"
    given = request(own_data, tmp_path, init=str(tmp_path / "none.pth"))
    with pytest.raises(DataMissingError, match="there is no weights file"):
        explain(plan_training(given))


def test_a_training_for_many_images_is_long_for_a_few(
    weights: dict[str, Tensor], own_data: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    begin(plan_training(request(own_data, tmp_path, iterations=3000)), told.append)
    assert any(line.startswith("3000 steps see each of these 3 images 2000 times") for line in told)
