"""The corridor, walked with a small model and dataset that are registered for the test."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchsuite import (
    Category,
    DatasetSpec,
    Image,
    ImageRecord,
    MetricSpec,
    ModelSpec,
    Prediction,
    Scores,
    build_truth,
    metric_selection,
    plugins,
    resolve,
)
from benchsuite.cli.main import main
from benchsuite.errors import ContractError, InputError, InterruptedRun, UsageError
from benchsuite.runs import RunRequest, execute, plan_run
from benchsuite.store.results_store import Store

CATEGORIES = (Category(7, "square"), Category(0, "blob"))
SIZES = [(40 + i, 32 + i % 3) for i in range(11)]


def square(i: int) -> list[int]:
    return [3 + i, 4, 9 + i, 10]


class Squares:
    categories, keypoints, tasks, annotation_sha256 = CATEGORIES, None, ("bbox",), "squares"

    def __init__(self, request):
        self.loads = 0

    def images(self):
        return [ImageRecord(1000 * i, f"{i}.png", w, h) for i, (w, h) in enumerate(SIZES)]

    def load(self, record):
        pixels = np.zeros((record.height, record.width, 3), np.uint8)
        x, y, w, h = square(record.id // 1000)
        pixels[y : y + h, x : x + w] = 255
        return Image(record, pixels)

    def truth(self, task):
        annotations = [
            {"id": i + 1, "image_id": 1000 * i, "category_id": 7, "bbox": square(i), "area": 99}
            for i in range(len(SIZES))
        ]
        return build_truth(self.images(), annotations, CATEGORIES)


@dataclass(frozen=True)
class FinderOptions:
    shift: float = 0.0


class Finder:
    """Finds the white square; labels are of its own categories, one of which nobody has."""

    interrupt_at: int | None = None
    score: float = 0.5
    seen: list[int] = []  # noqa: RUF012  (shared on purpose: the test looks at it)

    def __init__(self, request):
        self.options = request.options

    def predict(self, images):
        return [self._one(image) for image in images]

    def _one(self, image):
        if image.record.id == Finder.interrupt_at:
            raise KeyboardInterrupt
        Finder.seen.append(image.record.id)
        y, x = np.nonzero(image.pixels[..., 0])
        s = self.options.shift
        box = [x.min() + s, y.min(), x.max() + 1 + s, y.max() + 1]
        return Prediction([box, box], [Finder.score, 0.25], [1, 0])


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """The real registry with our two beside it."""
    module = ModuleType("corridor_fixture")
    vars(module).update(Squares=Squares, Finder=Finder, FinderOptions=FinderOptions)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    Finder.interrupt_at, Finder.score, Finder.seen = None, 0.5, []
    found = plugins.load_registry(plugins.entry_points(group=plugins.GROUP))
    found.models["finder"] = ModelSpec(
        "finder",
        tasks=("bbox", "segm"),
        factory="corridor_fixture:Finder",
        options="corridor_fixture:FinderOptions",
        categories=(Category(1, "ghost"), Category(2, "Square")),
    )
    found.datasets["squares"] = DatasetSpec(
        "squares", tasks=("bbox",), factory="corridor_fixture:Squares", metrics=("coco_bbox",)
    )
    for module_ in (plugins, resolve, metric_selection):
        monkeypatch.setattr(module_, "registry", lambda: found)
    return found


@pytest.fixture
def request_(tmp_path):
    return RunRequest(model="finder", dataset="squares", threads=1, out=tmp_path / "results")


def silent(line: str) -> None:
    """Takes what the run tells."""


def test_a_run_is_scored_stored_and_shown(request_):
    outcome = execute(plan_run(request_), silent)
    assert outcome.metrics["bbox/AP"] == pytest.approx(1.0, abs=1e-12)
    assert outcome.run["n_dropped"] == len(SIZES)
    assert outcome.run["n_predictions"] == len(SIZES)
    assert any("ghost" in warning for warning in outcome.run["warnings"])
    assert any("blob" in warning for warning in outcome.run["warnings"])
    told = json.loads(json.dumps(outcome.to_json(), allow_nan=False))
    assert told["weights"] == "random"
    assert told["verdict"] == "random weights"
    assert told["partial"] is False
    assert told["n_images"] == len(SIZES)
    store = Store(request_.out)
    [run] = store.runs().to_pylist()
    assert run["run_id"] == told["run_id"]
    predictions = pq.read_table(told["predictions"])
    assert set(predictions["category_id"].to_pylist()) == {7}
    assert set(predictions["image_id"].to_pylist()) == {1000 * i for i in range(len(SIZES))}
    samples = store.read("throughput")
    assert samples.num_rows == len(SIZES)
    assert samples["preprocess_ms"].null_count == len(SIZES)
    assert not (request_.out / ".work").exists() or not any((request_.out / ".work").iterdir())


def tables(outcome):
    """What must be identical: predictions, images and values; names of runs and times set apart."""
    metrics = pq.read_table(outcome.paths["metrics"]).drop_columns(["run_id"])
    predictions = pq.read_table(outcome.paths["predictions"])
    images = pq.read_table(outcome.paths["prediction_images"])
    return metrics, predictions, images


@pytest.mark.parametrize("batch_size", [1, 3])
def test_interrupted_and_resumed_equals_uninterrupted(request_, tmp_path, batch_size):
    whole = execute(
        plan_run(replace(request_, out=tmp_path / "whole", batch_size=batch_size)), silent
    )
    Finder.interrupt_at, Finder.seen = 6000, []
    interrupted = replace(request_, batch_size=batch_size, warmup=0)
    with pytest.raises(InterruptedRun, match="--resume"):
        execute(plan_run(interrupted), silent)
    assert Store(interrupted.out).runs().num_rows == 0
    Finder.interrupt_at, Finder.seen = None, []
    resumed = execute(plan_run(replace(interrupted, resume=True)), silent)
    assert Finder.seen == [1000 * i for i in range(6, len(SIZES))]
    for ours, theirs in zip(tables(resumed), tables(whole), strict=True):
        assert ours.equals(theirs)
    assert resumed.run["result_id"] == whole.run["result_id"]


def test_without_resume_a_run_starts_over(request_):
    Finder.interrupt_at = 6000
    with pytest.raises(InterruptedRun):
        execute(plan_run(request_), silent)
    Finder.interrupt_at, Finder.seen = None, []
    execute(plan_run(replace(request_, warmup=0)), silent)
    assert len(Finder.seen) == len(SIZES)


def test_other_options_are_another_result(request_):
    first = execute(plan_run(request_), silent)
    again = execute(plan_run(request_), silent)
    shifted = replace(request_, overrides={"model": {"shift": 4.0}})
    other = execute(plan_run(shifted), silent)
    assert first.run["result_id"] == again.run["result_id"] != other.run["result_id"]
    assert other.metrics["bbox/AP"] < 1


def test_a_limit_makes_a_partial_result(request_):
    outcome = execute(plan_run(replace(request_, limit=4)), silent)
    assert outcome.run["partial"] is True
    assert outcome.run["n_images"] == 4
    assert outcome.run["n_dataset_images"] == len(SIZES)
    assert outcome.metrics["bbox/AP"] == pytest.approx(1.0, abs=1e-12)


def test_a_nan_score_stores_nothing(request_):
    Finder.score = float("nan")
    with pytest.raises(ContractError, match="NaN"):
        execute(plan_run(request_), silent)
    assert Store(request_.out).runs().num_rows == 0


class Watcher:
    """A metric that looks at what it is given."""

    evaluator = "watcher 1"

    def match(self, truth, predictions):
        nulls = predictions.instances["bbox"].null_count
        return pa.table({"image_id": predictions.images["image_id"]}).append_column(
            "nulls", pa.array([nulls] * predictions.images.num_rows)
        )

    def accumulate(self, matches, image_weights=None):
        return Scores({"nulls": float(matches["nulls"][0].as_py())})


def test_masks_are_scored_without_the_boxes_beside_them(request_, registered, monkeypatch):
    """Else the area of a detection would be its box's, where COCO takes the mask's."""
    sys.modules["corridor_fixture"].Watcher = Watcher  # type: ignore[attr-defined]
    monkeypatch.setattr(Squares, "tasks", ("bbox", "segm"))
    for task in ("bbox", "segm"):
        name = f"watch_{task}"
        registered.metrics[name] = MetricSpec(
            name, task=task, factory="corridor_fixture:Watcher", primary="nulls"
        )
    watched = replace(request_, metrics=("watch_bbox", "watch_segm"))
    outcome = execute(plan_run(watched), silent)
    assert outcome.metrics["bbox/nulls"] == 0
    assert outcome.metrics["segm/nulls"] == len(SIZES)


def test_categories_without_a_common_name(request_, registered):
    registered.models["finder"] = replace(
        registered.models["finder"], categories=(Category(1, "x"), Category(2, "y"))
    )
    with pytest.raises(InputError, match="no category name in common"):
        execute(plan_run(request_), silent)


def test_proposals_are_scored_whatever_the_categories_are(request_, registered):
    registered.models["finder"] = replace(
        registered.models["finder"],
        tasks=("proposals",),
        categories=(Category(1, "x"), Category(2, "y")),
    )
    outcome = execute(plan_run(replace(request_, metrics=("coco_proposals",))), silent)
    assert outcome.metrics["proposals/AR@1000"] == 1
    assert not [line for line in outcome.run["warnings"] if "categories" in line]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "findr"}, "did you mean finder"),
        ({"dataset": "sqares"}, "did you mean squares"),
        ({"dataset": "squares/vall"}, "did you mean val"),
        ({"split": "tain"}, "split of squares"),
        ({"metrics": ("coco_box",)}, "did you mean coco_bbox"),
        ({"metrics": ("coco_segm",)}, "scores segm"),
        ({"overrides": {"model": {"shft": 1}}}, "did you mean shift"),
        ({"overrides": {"dataset": {"count": 1}}}, "takes no options"),
        ({"batch_size": 0}, "--batch-size"),
        ({"limit": -1}, "--limit"),
    ],
)
def test_mistakes_are_usage_errors(request_, change, message):
    with pytest.raises(UsageError, match=message):
        plan_run(replace(request_, **change))


def test_a_device_that_is_not_there(request_):
    for name in ("cuda:99", "tpu", "meta"):
        with pytest.raises(UsageError, match="--device"):
            execute(plan_run(replace(request_, device=name)), silent)


def test_exit_codes_of_the_command_line(tmp_path, capsys):
    out = ["--out", str(tmp_path / "r")]
    assert main(["run", "--model", "finder", "--dataset", "squares", "--json", *out]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["bbox/AP"] > 0.99
    assert main(["run", "--model", "findr", "--dataset", "squares", *out]) == 2
    assert "did you mean finder" in capsys.readouterr().err
    assert main(["run", "--model", "finder", "--dataset", "squares", "--bogus", *out]) == 2
    assert main(["rnu"]) == 2
    assert "did you mean run" in capsys.readouterr().err
    assert main(["run", "--model", "mask_rcnn", "--dataset", str(tmp_path / "no.json")]) == 4
    Finder.interrupt_at = 3000
    assert main(["run", "--model", "finder", "--dataset", "squares", *out]) == 130


def test_a_dry_run_makes_nothing(tmp_path, capsys):
    out = tmp_path / "r"
    args = ["run", "--model", "finder", "--dataset", "squares", "--dry-run", "--json"]
    assert main([*args, "--out", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["n_images"] == len(SIZES)
    assert told["metrics"] == ["coco_bbox"]
    assert not out.exists()
    assert Finder.seen == []
