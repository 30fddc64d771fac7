"""What a training starts from: published addresses, a local server, recipes, trainings, files."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import DataMissingError, InputError, UsageError
from benchsuite.plugins import registry
from benchsuite.specs import RecipeSpec
from benchsuite.training.start import published_urls
from benchsuite.training.start.initial_weights import (
    fetch_initial_weights,
    locate_initial_weights,
    starting_point,
)
from benchsuite.training.start.published_urls import published_url

CONTENT = b"a backbone"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHSUITE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Detectron2's address, as a folder that is served here."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    folder = tmp_path / "site" / "ImageNetPretrained" / "MSRA"
    folder.mkdir(parents=True)
    (folder / "R-50.pkl").write_bytes(CONTENT)
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "site"))
    )
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(published_urls, "DETECTRON2", url)
    yield url
    server.shutdown()
    server.server_close()


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecipeSpec:
    """A recipe for COCO whose weights are a file of three categories."""
    (tmp_path / "recipe.pth").write_bytes(CONTENT)
    body = {
        "weights": {
            "url": (tmp_path / "recipe.pth").as_uri(),
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
        }
    }
    (tmp_path / "initial_zoo.py").write_text(
        "from benchsuite.specs import Category\n"
        f"def read(name):\n    return {{**{body!r}, 'categories': [Category(7, 'ant')]}}\n"
        "def bare(name):\n    return {}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "initial_zoo", raising=False)
    spec = RecipeSpec(
        name="of_a_test",
        model="keypoint_rcnn",
        dataset="coco",
        tasks=("bbox",),
        source="initial_zoo:read",
        weights_url=body["weights"]["url"],
    )
    monkeypatch.setitem(registry().recipes, spec.name, spec)
    return spec


@pytest.mark.parametrize(
    ("short", "url"),
    [
        (
            "detectron2://ImageNetPretrained/MAE/vit_base.pth?matching_heuristics=True",
            "https://dl.fbaipublicfiles.com/detectron2/ImageNetPretrained/MAE/vit_base.pth",
        ),
        (
            "catalog://ImageNetPretrained/FAIR/R-50-GN",
            "https://dl.fbaipublicfiles.com/detectron/ImageNetPretrained/47261647/R-50-GN.pkl",
        ),
        ("https://example.org/a.pth?token=1", "https://example.org/a.pth?token=1"),
        ("folder/file.pth", "folder/file.pth"),
    ],
)
def test_short_names(short: str, url: str) -> None:
    assert published_url(short) == url


def test_an_unknown_name() -> None:
    with pytest.raises(UsageError, match="did you mean ImageNetPretrained/FAIR/R-50-GN"):
        published_url("catalog://ImageNetPretrained/FAIR/R-50-GM")


def test_a_download(site: str) -> None:
    short = "detectron2://ImageNetPretrained/MSRA/R-50.pkl"
    located = locate_initial_weights(short)
    assert isinstance(located, dict)
    assert (located["present"], located["bytes"]) == (False, len(CONTENT))
    initial = fetch_initial_weights(short)
    assert initial is not None
    assert (initial.name, initial.path.read_bytes()) == ("R-50.pkl", CONTENT)
    assert initial.categories == ()
    with pytest.raises(DataMissingError, match="give the file with --init FILE"):
        fetch_initial_weights("detectron2://ImageNetPretrained/MSRA/R-101.pkl")


def test_nothing_to_start_from() -> None:
    assert fetch_initial_weights("") is None
    assert fetch_initial_weights("random") is None
    assert locate_initial_weights("") == "random"


def test_a_recipe_knows_its_categories_and_keypoints(recipe: RecipeSpec, tmp_path: Path) -> None:
    for init in ("of_a_test", (tmp_path / "recipe.pth").as_uri()):
        initial = fetch_initial_weights(init)
        assert initial is not None
        assert initial.name == "of_a_test"
        assert [category.name for category in initial.categories] == ["ant"]
        assert initial.keypoints is not None
        assert initial.keypoints.names[0] == "nose"
    (tmp_path / "recipe.pth").write_bytes(b"spoilt")
    with pytest.raises(InputError, match="not the expected weights"):
        fetch_initial_weights("of_a_test")


def test_a_training_knows_its_categories(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "best").mkdir(parents=True)
    (folder / "best" / "model.safetensors").write_bytes(CONTENT)
    identity = {
        "model": "mask_rcnn",
        "recipe": "r",
        "model_options": {},
        "categories": [{"id": 3, "name": "bee"}],
    }
    (folder / "training.json").write_text(json.dumps({"identity": identity}))
    for init in (folder, folder / "best" / "model.safetensors"):
        initial = fetch_initial_weights(str(init))
        assert initial is not None
        assert initial.name == "mine/best"
        assert [category.name for category in initial.categories] == ["bee"]


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(CONTENT)
    initial = fetch_initial_weights(str(path))
    assert initial is not None
    assert (initial.path, initial.name, initial.categories) == (path, "a.pth", ())
    with pytest.raises(DataMissingError, match="there is no weights file"):
        fetch_initial_weights(str(tmp_path / "b.pth"))
    with pytest.raises(UsageError, match=r"unknown weights 'mask'.*--init takes"):
        fetch_initial_weights("mask")


def test_on_other_data_a_recipe_starts_from_its_own_weights(recipe: RecipeSpec) -> None:
    assert starting_point("imagenet.pkl", recipe, "coco") == "imagenet.pkl"
    assert starting_point("imagenet.pkl", recipe, "my") == "of_a_test"
    bare = RecipeSpec("bare", "m", "coco", ("bbox",), "initial_zoo:bare")
    assert starting_point("imagenet.pkl", bare, "my") == "imagenet.pkl"
