"""A made-up published number, reproduced from a local server: met, missed, and kept from it."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchsuite import (
    Category,
    DatasetSpec,
    Image,
    ImageRecord,
    ModelSpec,
    Prediction,
    RecipeSpec,
    build_truth,
    metric_selection,
    plugins,
    reproduction,
    resolve,
)
from benchsuite.cli.main import main
from benchsuite.downloads import download as download_module
from benchsuite.store.results_store import Store

CATEGORIES = (Category(1, "square"),)
N_IMAGES = 6
ANNOTATIONS = "of these six squares"


class Squares:
    """White squares, 8 pixels wide; the published hash and count are the class's to change."""

    categories, keypoints, tasks, annotation_sha256 = CATEGORIES, None, ("bbox",), ANNOTATIONS
    published_annotation_sha256: str | None = ANNOTATIONS
    published_image_count: int | None = N_IMAGES

    def __init__(self, request: Any) -> None:
        self.request = request

    def images(self) -> list[ImageRecord]:
        return [ImageRecord(i, f"{i}.png", 40, 32) for i in range(N_IMAGES)]

    def load(self, record: ImageRecord) -> Image:
        pixels = np.zeros((32, 40, 3), np.uint8)
        pixels[4:12, 3 + record.id : 11 + record.id] = 255
        return Image(record, pixels)

    def truth(self, task: str) -> Any:
        annotations = [
            {"id": i + 1, "image_id": i, "category_id": 1, "bbox": [3 + i, 4, 8, 8], "area": 64}
            for i in range(N_IMAGES)
        ]
        return build_truth(self.images(), annotations, CATEGORIES)


@dataclass(frozen=True)
class FinderOptions:
    colour: int = 255
    note: str = ""


class Finder:
    """Finds the square, as far to the right of it as its weights say."""

    interrupt_at: int | None = None

    def __init__(self, request: Any) -> None:
        self.shift = json.loads(request.weights.read_bytes())["shift"]

    def predict(self, images: list[Image]) -> list[Prediction]:
        return [self._one(image) for image in images]

    def _one(self, image: Image) -> Prediction:
        if image.record.id == Finder.interrupt_at:
            raise KeyboardInterrupt
        y, x = np.nonzero(image.pixels[..., 0])
        box = [x.min() + self.shift, y.min(), x.max() + 1 + self.shift, y.max() + 1]
        return Prediction([box], [0.5], [0])


def checkpoint(shift: float) -> bytes:
    """Weights of some size, so that a download can be cut."""
    return json.dumps({"shift": shift, "padding": "0" * 300_000}).encode()


@dataclass
class Site:
    """A server of one checkpoint; ``cut_after`` ends the next answer early."""

    url: str = ""
    content: bytes = checkpoint(0)
    cut_after: int | None = None
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    served = Site()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            served.ranges.append(asked)
            start = int(asked[len("bytes=") : -1]) if asked else 0
            last = len(served.content) - 1
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
            self.send_header("ETag", '"one"')
            self.send_header("Content-Length", str(last + 1 - start))
            self.end_headers()
            self.wfile.write(served.content[start:][: served.cut_after])
            served.cut_after = None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    served.url = f"http://127.0.0.1:{server.server_port}/finder.json"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("BENCHSUITE_CACHE", str(tmp_path / "cache"))
    for variable in download_module.OFFLINE_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(download_module, "BACKOFF_S", ())
    yield served
    server.shutdown()
    server.server_close()


Publish = Callable[..., RecipeSpec]


@pytest.fixture
def publish(site: Site, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Registers model, dataset and a recipe with the numbers that the call names."""
    module = ModuleType("reproduction_fixture")
    bodies: dict[str, Any] = {}
    vars(module).update(Squares=Squares, Finder=Finder, FinderOptions=FinderOptions)
    module.read = bodies.get  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(Finder, "interrupt_at", None)
    found = plugins.load_registry(plugins.entry_points(group=plugins.GROUP))
    found.models["finder"] = ModelSpec(
        "finder",
        tasks=("bbox",),
        factory="reproduction_fixture:Finder",
        options="reproduction_fixture:FinderOptions",
        categories=CATEGORIES,
    )
    found.datasets["squares"] = DatasetSpec(
        "squares", tasks=("bbox",), factory="reproduction_fixture:Squares", metrics=("coco_bbox",)
    )
    for module_ in (plugins, resolve, metric_selection, reproduction):
        monkeypatch.setattr(module_, "registry", lambda: found)

    def register(numbers: dict[str, float], **weights: Any) -> RecipeSpec:
        spec = RecipeSpec(
            "finder_1x",
            model="finder",
            dataset="squares",
            tasks=("bbox",),
            source="reproduction_fixture:read",
            weights_url=site.url,
            published=numbers,
        )
        stated = {"url": site.url, "sha256": hashlib.sha256(site.content).hexdigest(), **weights}
        bodies["finder_1x"] = {"name": "finder_1x", "weights": stated, "tolerance": 0.001}
        found.recipes["finder_1x"] = spec
        return spec

    return register


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    return ["reproduce", "finder_1x", "--threads", "1", "--out", str(tmp_path / "results")]


def recorded(tmp_path: Path) -> list[dict[str, Any]]:
    runs_: list[dict[str, Any]] = Store(tmp_path / "results").runs().to_pylist()
    return runs_


def test_within_the_tolerance(
    publish: Publish, command: list[str], tmp_path: Path, capsys: Any
) -> None:
    publish({"bbox/AP": 0.999, "bbox/AP50": 1.0})
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["reproduced"]) == ("reproduced", True)
    assert told["annotations"] == "as published"
    assert told["values"]["bbox/AP"]["measured"] == pytest.approx(1)
    assert told["values"]["bbox/AP"]["difference"] == pytest.approx(0.001)
    [run] = recorded(tmp_path)
    assert (run["verdict"], run["verb"], run["recipe"]) == ("reproduced", "reproduce", "finder_1x")
    assert run["weights_random"] is False


def test_outside_the_tolerance(
    publish: Publish, site: Site, command: list[str], tmp_path: Path, capsys: Any
) -> None:
    site.content = checkpoint(2)
    publish({"bbox/AP": 0.9, "bbox/AP50": 1.0})
    assert main(command) == 3
    shown = capsys.readouterr()
    # A box 2 of 8 pixels off: IoU 48 / 80 = 0.6, which three of ten thresholds let pass.
    assert [line.split() for line in shown.out.splitlines() if "bbox/AP " in line] == [
        ["bbox/AP", "30.00", "90.00", "-60.00"]
    ]
    assert "bbox/AP by -60.00" in shown.err
    assert "bbox/AP50" not in shown.err
    [run] = recorded(tmp_path)
    assert run["verdict"] == "outside tolerance"


@pytest.mark.parametrize("published", [1.0, 0.5])
def test_a_limit_gives_a_figure_that_is_never_called_reproduced(
    publish: Publish, command: list[str], published: float, tmp_path: Path, capsys: Any
) -> None:
    publish({"bbox/AP": published})
    assert main([*command, "--limit", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["reproduced"]) == ("partial, not comparable", False)
    assert main([*command, "--limit", "3"]) == 0
    assert "reproduced" not in capsys.readouterr().out
    assert {run["verdict"] for run in recorded(tmp_path)} == {"partial, not comparable"}


@pytest.mark.parametrize(
    ("published_hash", "made_for", "verdict"),
    [
        (ANNOTATIONS, {}, "reproduced"),
        ("of others", {}, "no published number"),
        (None, {}, "reproduced"),
        (None, {"colour": 7}, "no published number"),
        (ANNOTATIONS, {"colour": 7}, "reproduced"),
    ],
)
def test_a_number_is_held_only_against_one_of_the_same_dataset(
    publish: Publish,
    published_hash: str | None,
    made_for: dict[str, int],
    verdict: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    """``run`` takes any options: what it measures then may be of another dataset."""
    publish({"bbox/AP": 1.0})
    spec = resolve.registry().datasets["squares"]
    options = replace(spec, options="reproduction_fixture:FinderOptions")
    monkeypatch.setitem(resolve.registry().datasets, "squares", options)
    monkeypatch.setattr(Squares, "published_annotation_sha256", published_hash)
    overrides = [f"dataset.{key}={value}" for key, value in made_for.items()]
    out = ["--out", str(tmp_path / "results"), "--json", "--threads", "1"]
    assert main(["run", "--model", "finder_1x", "--dataset", "squares", *out, *overrides]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == verdict


def test_a_wrong_digest(
    publish: Publish, site: Site, command: list[str], tmp_path: Path, capsys: Any
) -> None:
    publish({"bbox/AP": 1.0}, sha256="0" * 64)
    assert main(command) == 1
    assert "0" * 64 in capsys.readouterr().err
    kept = [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept == ["finder.json.rejected"]
    assert recorded(tmp_path) == []


def test_an_interrupted_download_goes_on(
    publish: Publish, site: Site, command: list[str], capsys: Any
) -> None:
    publish({"bbox/AP": 1.0})
    site.cut_after = 1 << 17
    assert main(command) == 4
    assert site.ranges == [None]
    assert main(command) == 0
    assert site.ranges == [None, f"bytes={1 << 17}-"]
    assert main(command) == 0
    assert len(site.ranges) == 2, "what is in the cache is not fetched again"


def test_an_interrupted_run_goes_on(
    publish: Publish, command: list[str], capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish({"bbox/AP": 1.0})
    monkeypatch.setattr(Finder, "interrupt_at", 4)
    assert main(command) == 130
    monkeypatch.setattr(Finder, "interrupt_at", None)
    assert main([*command, "--resume"]) == 0
    assert "going on after 4 of 6 images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("annotation_sha256", "of seven", "not the published ones: sha256 of seven"),
        ("published_image_count", 7, "has 6 images, published were 7"),
    ],
)
def test_a_dataset_that_is_not_the_published_one(
    publish: Publish,
    site: Site,
    command: list[str],
    attribute: str,
    value: Any,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    publish({"bbox/AP": 1.0})
    monkeypatch.setattr(Squares, attribute, value)
    assert main(command) == 1
    assert message in capsys.readouterr().err
    assert site.ranges == [], "weights are not fetched for nothing"


def test_unknown_annotations_are_told(
    publish: Publish, command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    publish({"bbox/AP": 1.0})
    monkeypatch.setattr(Squares, "published_annotation_sha256", None)
    assert main([*command, "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["annotations"] == "unknown"
    assert "nobody knows the hash" in shown.err


def test_what_cannot_be_reproduced(publish: Publish, command: list[str], capsys: Any) -> None:
    publish({"segm/AP": 0.5})
    assert main(command) == 4
    assert "not scored by segm" in capsys.readouterr().err
    publish({"bbox/PQ": 0.5})
    assert main(command) == 1
    assert "bbox/PQ, which nothing measures" in capsys.readouterr().err
    publish({})
    assert main(command) == 2
    assert main(["reproduce", "findr_1x"]) == 2
    assert "did you mean finder_1x" in capsys.readouterr().err


def test_only_what_the_recipe_leaves_open_can_be_given(
    publish: Publish, command: list[str], capsys: Any
) -> None:
    publish({"bbox/AP": 1.0})
    assert main([*command, "model.note=here"]) == 0
    assert main([*command, "model.colur=3"]) == 2
    assert "did you mean colour" in capsys.readouterr().err
    for override in ("model.colour=3", "dataset.count=3"):
        assert main([*command, override]) == 2
        assert f"{override.partition('=')[0]} is settled" in capsys.readouterr().err


def test_weights_that_are_not_published(publish: Publish, command: list[str], capsys: Any) -> None:
    spec = publish({"bbox/AP": 1.0})
    plugins.registry().recipes["finder_1x"] = replace(spec, weights_url="")
    assert main(command) == 4
    assert "no weights of 'finder_1x'" in capsys.readouterr().err
