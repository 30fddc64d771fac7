"""The weights that come with the zoo: every model has them, and they give the stated numbers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import benchsuite_zoo
from benchsuite.cli.main import main
from benchsuite.devices import use_device
from benchsuite.inference import build_model
from benchsuite.pairing import pair_categories
from benchsuite.resolve import keypoint_layout, open_dataset, resolve_model
from benchsuite.weights import resolve_weights
from benchsuite_plugins.checkpoints import read_checkpoint
from benchsuite_zoo.recipes import read_recipe

SHIPPED = [
    spec.name
    for spec in benchsuite_zoo.benchsuite_recipes()
    if "file" in read_recipe(spec.name).get("weights", {})
]

# A whole split takes the better part of a minute on one core: one model speaks for all, unless all
# are asked for.
ALL = os.environ.get("BENCHSUITE_TEST_SHIPPED") == "all"
REPRODUCED = SHIPPED if ALL else [name for name in SHIPPED if name.startswith("retinanet")]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_model_s_own_name_means_them_and_they_load_exactly(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHSUITE_CACHE", str(tmp_path))
    recipe = read_recipe(name)
    resolved = resolve_model(recipe["model"], dataset=recipe["dataset"])
    assert resolved.recipe is not None and resolved.recipe.name == name
    weights = resolve_weights(resolved.weights, resolved.recipe, resolved.body)
    assert weights.name == name and weights.path is not None
    overrides = {"count": 1, "size": 64}
    opened = open_dataset(recipe["dataset"], tasks=resolved.spec.tasks, overrides=overrides)
    categories, mapping = pair_categories(resolved.categories, opened, resolved.spec.tasks)
    assert mapping.complete
    model: Any = build_model(
        resolved,
        categories,
        weights=weights.path,
        device=use_device("cpu", threads=1, seed=0),
        seed=0,
        keypoints=keypoint_layout(opened),
    )
    state = model.state_dict()
    for key, value in read_checkpoint(weights.path).items():
        assert (state[key] == value.to(state[key].dtype)).all(), key


@pytest.mark.parametrize("name", SHIPPED)
def test_a_number_is_stated_of_every_task(name: str) -> None:
    recipe = read_recipe(name)
    assert {value.partition("/")[0] for value in recipe["published"]} == set(recipe["tasks"])


@pytest.mark.parametrize("name", REPRODUCED)
def test_they_give_the_stated_numbers(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("BENCHSUITE_CACHE", str(tmp_path / "cache"))
    assert (
        main(["reproduce", name, "--threads", "1", "--out", str(tmp_path / "results"), "--json"])
        == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["annotations"]) == ("reproduced", "as published")
    for value in told["values"].values():
        assert abs(value["difference"]) < 0.001
