"""The zoo's verbs, and every recipe held against what its published model saves."""

from __future__ import annotations

import gzip
import hashlib
import json
import pickle
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchsuite_zoo
from benchsuite.cli.main import main
from benchsuite_plugins.checkpoints import read_checkpoint
from benchsuite_plugins.commands.zoo import zoo
from benchsuite_plugins.models.from_recipe import build_on_meta

NAME = "mask_rcnn_R_50_FPN_3x"

RECIPES = {spec.name: spec.config for spec in benchsuite_zoo.benchsuite_recipes() if spec.config}

Shapes = dict[str, list[int]]


@pytest.fixture(scope="session")
def published_shapes(repository: Path) -> Callable[[str], Shapes]:
    """Configuration's path to what its model saves: name to shape."""
    file = repository.parent / "shared" / "reference" / "state_dicts.json.gz"
    if not file.is_file():
        pytest.skip(f"no {file.name}")
    published = json.loads(gzip.decompress(file.read_bytes()))

    def read(config: str) -> Shapes:
        runs = published["sets"][published["shapes"][config]]
        entries = [entry for first, n in runs for entry in published["entries"][first : first + n]]
        return {name: shape for name, shape, _ in entries}

    return read


def shapes_of(name: str) -> Shapes:
    return {key: list(value.shape) for key, value in build_on_meta(name).state_dict().items()}


def write(path: Path, shapes: object) -> str:
    path.write_text(json.dumps(shapes))
    return str(path)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_fits_what_was_published(
    name: str, published_shapes: Callable[[str], Shapes], tmp_path: Path, capsys: Any
) -> None:
    file = write(tmp_path / "shapes.json", published_shapes(RECIPES[name]))
    assert main(["zoo", "check", name, file, "--json"]) == 0, capsys.readouterr().out
    told = json.loads(capsys.readouterr().out)
    assert told["fits"] is True
    assert set(published_shapes(RECIPES[name])) == set(shapes_of(name))


def test_differences_are_named(tmp_path: Path, capsys: Any) -> None:
    shapes = shapes_of(NAME)
    del shapes["backbone.fpn_lateral2.weight"]
    shapes["left.over"] = [1]
    shapes["roi_heads.box_predictor.cls_score.bias"] = [21]
    file = write(tmp_path / "shapes.json", shapes)
    assert main(["zoo", "check", NAME, file]) == 1
    out = capsys.readouterr().out
    assert "missing           backbone.fpn_lateral2.weight" in out
    assert "left over         left.over" in out
    assert "roi_heads.box_predictor.cls_score.bias ((21,) in the file, (81,) in the model)" in out
    assert "another architecture" not in out
    assert main(["zoo", "check", NAME, file, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["misshapen"] == {
        "roi_heads.box_predictor.cls_score.bias": {"file": [21], "model": [81]}
    }


def test_another_architecture_is_called_so(tmp_path: Path, capsys: Any) -> None:
    file = write(tmp_path / "shapes.json", {"conv1.weight": [64, 3, 7, 7], "fc.bias": [1000]})
    assert main(["zoo", "check", NAME, file]) == 1
    assert "another architecture" in capsys.readouterr().out


def test_a_checkpoint_is_checked_too(tmp_path: Path, capsys: Any) -> None:
    name = "mask_rcnn_R_18_FPN_shapes"
    state = {key: np.zeros(shape, np.float32) for key, shape in shapes_of(name).items()}
    file = tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps({"model": state, "__author__": "somebody"}))
    assert main(["zoo", "check", name, str(file)]) == 0
    assert main(["zoo", "check", NAME, str(file)]) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no JSON"),
        ("[1]", "no object"),
        ('{"a": "b"}', "no shape"),
        ('{"a": [1, -1]}', "no shape"),
        ('{"a": [1.5]}', "no shape"),
    ],
)
def test_json_that_states_no_shapes(
    content: str, message: str, tmp_path: Path, capsys: Any
) -> None:
    file = tmp_path / "shapes.json"
    file.write_text(content)
    assert main(["zoo", "check", NAME, str(file)]) == 1
    assert message in capsys.readouterr().err


def test_names_and_files_that_are_not_there(tmp_path: Path, capsys: Any) -> None:
    assert main(["zoo", "check", NAME, str(tmp_path / "no.pkl")]) == 4
    assert main(["zoo", "check", "mask_rcnn_R_50", str(tmp_path / "no.pkl")]) == 2
    assert "did you mean" in capsys.readouterr().err
    assert main(["zoo", "show", "mask_rcnn_R_50"]) == 2


def test_show_says_what_is_inherited(capsys: Any) -> None:
    assert main(["zoo", "show", "mask_rcnn_X_101_32x8d_FPN_3x", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model_options"]["resnet"]["num_groups"] == 32
    assert told["training"]["iterations"] == 270000
    assert len(told["categories"]) == 80
    assert told["published"] == {"bbox/AP": 0.443, "segm/AP": 0.395}
    assert main(["zoo", "show", "mask_rcnn_X_101_32x8d_FPN_3x"]) == 0
    assert "model_options.resnet.num_groups" in capsys.readouterr().out


def test_convert(tmp_path: Path, capsys: Any) -> None:
    state = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3).T, "b": np.int64([3])}
    source, target = tmp_path / "in.pkl", tmp_path / "out.safetensors"
    source.write_bytes(pickle.dumps({"model": state}))
    assert main(["zoo", "convert", str(source), str(target)]) == 0
    converted = read_checkpoint(target)
    assert {name: value.tolist() for name, value in converted.items()} == {
        name: value.tolist() for name, value in state.items()
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.pkl", "out.safetensors"]
    assert main(["zoo", "convert", str(source), str(target)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["zoo", "convert", str(source), str(tmp_path / "out.pth")]) == 2
    assert main(["zoo", "convert", str(tmp_path / "no.pkl"), str(tmp_path / "o.safetensors")]) == 4
    assert main(["zoo", "convert", "random", str(tmp_path / "o.safetensors")]) == 2


def test_pack(tmp_path: Path, capsys: Any) -> None:
    state = {"a.weight": np.float32([[0.1, 3.0]]), "a.bias": np.float32([0.1])}
    source, target = tmp_path / "in.pkl", tmp_path / "small.safetensors"
    source.write_bytes(pickle.dumps({"model": state}))
    assert main(["zoo", "pack", str(source), str(target)]) == 0
    stated = tomllib.loads(capsys.readouterr().out)["weights"]
    content = target.read_bytes()
    assert stated == {
        "file": "small.safetensors",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    found = read_checkpoint(target)
    assert found["a.weight"].numpy().tolist() == state["a.weight"].astype(np.float16).tolist()
    assert found["a.bias"].numpy().tolist() == state["a.bias"].tolist()
    assert main(["zoo", "pack", str(source), str(target)]) == 2
    again = tmp_path / "again.safetensors"
    assert main(["zoo", "pack", str(source), str(again), "--dtype", "fp32", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["arrays"] == 2
    assert read_checkpoint(again)["a.weight"].numpy().tolist() == state["a.weight"].tolist()


def test_help_names_them() -> None:
    assert set(zoo.commands) == {"show", "check", "convert", "pack"}
