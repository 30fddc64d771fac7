"""A training's folder given as a model or as weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchsuite.cli.main import main
from benchsuite.errors import DataMissingError, InputError, UsageError
from benchsuite.options import options_to_json
from benchsuite.resolve import resolve_model
from benchsuite.specs import Category, KeypointLayout
from benchsuite.trained import find_trained
from benchsuite.weights import Weights, locate_weights, resolve_weights

CATEGORIES = (Category(3, "car"), Category(1, "kite"))
OPTIONS = {
    "input": {"min_size_test": 64, "max_size_test": 96},
    "resnet": {"stem_out_channels": 8, "res2_out_channels": 32, "width_per_group": 8},
    "fpn": {"out_channels": 16},
    "rpn": {"pre_nms_topk_test": 50, "post_nms_topk_test": 20},
    "box_head": {"fc_dim": 16},
}
LAYOUT = KeypointLayout(("head", "left", "right"), (0.1, 0.2, 0.2), ((1, 2),), ((0, 1),))

MakeTraining = Callable[..., Path]


@pytest.fixture
def make_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeTraining:
    """Writes a training's folder: its description, and checkpoints of the given bytes."""
    monkeypatch.setenv("BENCHSUITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def make(name: str = "mine", model: str = "faster_rcnn", **checkpoints: bytes) -> Path:
        folder = tmp_path / "training" / name
        folder.mkdir(parents=True)
        model_options = options_to_json(resolve_model(model, dataset="", overrides=OPTIONS).options)
        description: Mapping[str, Any] = {
            "identity": {
                "recipe": "nobody_knows_it",
                "model": model,
                "model_options": model_options,
                "categories": [asdict(category) for category in CATEGORIES],
            },
            "keypoints": asdict(LAYOUT),
            "command": "benchsuite train …",
        }
        (folder / "training.json").write_text(json.dumps(description))
        for checkpoint, content in checkpoints.items():
            (folder / checkpoint).mkdir()
            (folder / checkpoint / "model.safetensors").write_bytes(content)
        return folder

    return make


def test_the_best_checkpoint_is_meant_where_none_is_named(make_training: MakeTraining) -> None:
    folder = make_training(last=b"last", best=b"best")
    for argument, name, content in (
        ("training/mine", "mine/best", b"best"),
        (str(folder), "mine/best", b"best"),
        ("training/mine/last", "mine/last", b"last"),
        ("training/mine/best/model.safetensors", "mine/best", b"best"),
    ):
        found = find_trained(argument)
        assert found is not None
        assert (found.name, found.weights.read_bytes()) == (name, content)
        assert (found.model, found.recipe) == ("faster_rcnn", "nobody_knows_it")
        assert (found.categories, found.keypoints) == (CATEGORIES, LAYOUT)


def test_the_last_one_where_nothing_was_validated(make_training: MakeTraining) -> None:
    make_training(last=b"last")
    found = find_trained("training/mine")
    assert found is not None and found.name == "mine/last"


def test_a_checkpoint_is_named_from_within(
    make_training: MakeTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_training(best=b"best")
    monkeypatch.chdir(folder / "best")
    for argument in (".", "model.safetensors"):
        found = find_trained(argument)
        assert found is not None and found.name == "mine/best"


def test_what_is_no_training(make_training: MakeTraining, tmp_path: Path) -> None:
    folder = make_training()
    assert find_trained("random") is None
    assert find_trained(str(tmp_path)) is None
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "model.safetensors").write_bytes(b"")
    assert find_trained("alone/model.safetensors") is None
    with pytest.raises(DataMissingError, match="no checkpoint yet"):
        find_trained(str(folder))
    with pytest.raises(DataMissingError, match=r"no training's folder.*training\.json"):
        resolve_model(str(tmp_path), dataset="shapes")


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"identity": {"model": "faster_rcnn"}}', '{"identity": 1}']
)
def test_a_damaged_description(make_training: MakeTraining, text: str) -> None:
    folder = make_training(best=b"best")
    (folder / "training.json").write_text(text)
    with pytest.raises(InputError, match=r"training\.json.*no description of a training"):
        find_trained(str(folder))


@pytest.mark.parametrize("argument", ["training/mine", "training/mine/best"])
def test_as_a_model_it_is_what_was_trained(make_training: MakeTraining, argument: str) -> None:
    make_training(best=b"best")
    resolved = resolve_model(argument, dataset="shapes", overrides={"input": {"min_size_test": 99}})
    assert (resolved.spec.name, resolved.recipe) == ("faster_rcnn", None)
    assert resolved.categories == CATEGORIES
    assert resolved.options.fpn.out_channels == 16
    assert (resolved.options.input.min_size_test, resolved.options.input.max_size_test) == (99, 96)
    weights = resolve_weights(resolved.weights, resolved.recipe, resolved.body)
    assert weights == Weights("mine/best", weights.path, weights.sha256, random=False)
    assert weights.path is not None and weights.path.read_bytes() == b"best"
    located = locate_weights(resolved.weights, resolved.recipe, resolved.body)
    assert isinstance(located, dict)
    assert (located["name"], located["url"]) == ("mine/best", None)


@pytest.mark.parametrize("model", ["faster_rcnn", "faster_rcnn_R_50_FPN_3x"])
def test_as_weights_it_says_what_the_model_is(make_training: MakeTraining, model: str) -> None:
    make_training(last=b"last")
    resolved = resolve_model(model, dataset="shapes", weights="training/mine")
    assert resolved.options.fpn.out_channels == 16
    assert (resolved.recipe, resolved.categories) == (None, CATEGORIES)
    assert resolved.weights == "training/mine"


def test_weights_of_another_model(make_training: MakeTraining) -> None:
    make_training(best=b"best")
    with pytest.raises(UsageError, match="of model 'faster_rcnn', not 'mask_rcnn'"):
        resolve_model("mask_rcnn", dataset="shapes", weights="training/mine")


def test_other_weights_for_what_was_trained(make_training: MakeTraining) -> None:
    make_training(best=b"best")
    random = resolve_model("training/mine", dataset="shapes", weights="random")
    assert (random.weights, random.categories) == ("random", None)
    assert random.options.fpn.out_channels == 16


def test_run_needs_the_folder_alone(make_training: MakeTraining, capsys: Any) -> None:
    from safetensors.torch import save

    from benchsuite.devices import use_device
    from benchsuite.inference import build_model

    folder = make_training(best=b"")
    resolved = resolve_model("training/mine", dataset="")
    model: Any = build_model(
        resolved, CATEGORIES, weights=None, device=use_device("cpu", threads=1, seed=0), seed=5
    )
    (folder / "best" / "model.safetensors").write_bytes(save(model.state_dict()))
    data = [
        "--dataset",
        "shapes",
        "dataset.count=2",
        "dataset.size=64",
        "--warmup=0",
        "--threads=1",
        "--json",
    ]
    printed = []
    for arguments in (
        ["--model", "training/mine"],
        ["--model", "faster_rcnn", "--weights", "training/mine/best"],
    ):
        assert main(["run", *arguments, *data]) == 0
        printed.append(json.loads(capsys.readouterr().out))
    assert printed[0]["result_id"] == printed[1]["result_id"]
    assert printed[0]["weights"]["name"] == "mine/best"
    assert printed[0]["verdict"] == "no published number"
