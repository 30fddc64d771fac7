"""The loop with a small model and dataset that are registered for the test."""

from __future__ import annotations

import json
import os
import signal
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
from benchsuite.cli.main import main
from benchsuite.errors import (
    ContractError,
    DataMissingError,
    InputError,
    InterruptedRun,
    UsageError,
)
from benchsuite.targets import Target
from benchsuite.training import plan
from benchsuite.training.augmentation import augmentation
from benchsuite.training.failures.nonfinite import NonFiniteError
from benchsuite.training.failures.out_of_memory import OutOfMemoryError
from benchsuite.training.identity import training_identity
from benchsuite.training.log import STEPS, VALIDATION, read_log
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


def test_a_training_leaves_weights_log_and_description(request_):
    outcome = run(request_)
    assert outcome.steps == 12
    assert outcome.epochs == 4
    out = request_.out
    kept = json.loads((out / "training.json").read_text())
    assert kept["identity"]["model"] == "measurer"
    assert kept["identity"]["categories"] == [
        {"id": 7, "name": "square", "isthing": True, "supercategory": "", "frequency": ""}
    ]
    steps = read_log(out, STEPS)
    assert steps["step"].to_pylist() == list(range(1, 13))
    assert {"loss", "loss/side", "lr", "grad_norm", "wait_seconds"} < set(steps.column_names)
    # Warm-up from a thousandth over three steps, a tenth from step 9 on.
    lrs = steps["lr"].to_pylist()
    assert lrs[0] == pytest.approx(0.02 * 0.001)
    assert lrs[3:9] == pytest.approx([0.02] * 6)
    assert lrs[9:] == pytest.approx([0.002] * 3)
    values = read_log(out, VALIDATION)
    assert values["step"].to_pylist() == [4, 8, 12]
    assert values["bbox/AP"].to_pylist()[-1] == outcome.last["bbox/AP"]
    assert list((out / "tensorboard").iterdir())
    assert not [each for each in out.iterdir() if each.name.startswith(".")]
    state = torch.load(out / "last" / "state.pt", weights_only=True)
    assert state["training"]["step"] == 12


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
def test_it_does_what_a_plain_loop_does(request_, optimizer):
    """The same steps with torch alone: order from the loop, all else written out here."""
    Measurer.dropout = 0.0
    outcome = run(request_, iterations=6, optimizer={"lr": 0.02, "type": optimizer})
    assert torch.equal(weights(outcome)["frozen"], torch.ones(3))
    batches = list(Measurer.seen)
    assert len(batches) == 12
    assert sorted(i for batch in batches[:6] for i in batch) == list(range(COUNT))

    squares = Squares(SimpleNamespace(split="train"))
    plain = Measurer(SimpleNamespace(seed=3, device="cpu"))
    trained = [each for each in plain.parameters() if each.requires_grad]
    make = {
        "SGD": lambda: torch.optim.SGD(trained, lr=0, momentum=0.9, weight_decay=1e-3),
        "AdamW": lambda: torch.optim.AdamW(trained, lr=0, weight_decay=1e-3),
    }
    updates = make[optimizer]()
    for step in range(6):
        warmup = 0.001 + 0.999 * min(step / 3, 1)
        updates.param_groups[0]["lr"] = 0.02 * warmup
        updates.zero_grad()
        for batch in batches[2 * step : 2 * step + 2]:
            images = [squares.load(ImageRecord(i, "", 24, 20)) for i in batch]
            targets = [Target([[0, 0, side(i), side(i)]], [0]) for i in batch]
            (sum(plain.losses(images, targets).values()) / 2).backward()
        updates.step()
    for name, value in weights(outcome).items():
        torch.testing.assert_close(value, plain.state_dict()[name])


@pytest.mark.parametrize("ema", [None, {"decay": 0.9, "warmup_iters": 4}])
@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
def test_a_resumed_training_ends_with_the_same_weights(request_, tmp_path, optimizer, ema):
    training = {"optimizer": {"lr": 0.02, "type": optimizer}, "ema": ema}
    whole = run(replace(request_, out=tmp_path / "whole"), **training)

    def die(loss):
        raise SystemExit("as if killed")

    # Two calls a step: in the middle of step 7, two steps after the checkpoint.
    Measurer.calls, Measurer.at_step = 0, {14: die}
    with pytest.raises(SystemExit):
        run(request_, **training)
    Measurer.at_step = {}
    resumed = run(replace(request_, resume=True), **training)
    assert_same(weights(resumed), weights(whole))
    assert_same(weights(resumed, "best"), weights(whole, "best"))
    states = [
        torch.load(each.out / "last" / "state.pt", weights_only=True) for each in (resumed, whole)
    ]
    assert states[0]["training"] == states[1]["training"]
    assert_same(states[0]["trainee"]["buffers"], states[1]["trainee"]["buffers"])
    # Weights that are averaged are kept beside those that are trained.
    trained = [each["trainee"].get("trained", {}) for each in states]
    assert_same(*trained)
    assert bool(trained[0]) == (ema is not None)
    logs = [read_log(each.out) for each in (resumed, whole)]
    for column in ("step", "loss", "lr", "grad_norm"):
        assert logs[0][column].to_pylist() == logs[1][column].to_pylist()


@pytest.mark.parametrize("validate_on", [None, "none"])
def test_statistics_of_batch_norm_are_those_of_the_last_weights(
    request_, tmp_path, monkeypatch, validate_on
):
    class Normalised(Measurer):
        """The same with a batch norm beside it."""

        def __init__(self, request):
            super().__init__(request)
            self.norm = nn.BatchNorm1d(2)

        def losses(self, images, targets):
            shares = [float((each.pixels[..., 0] > 0).mean()) for each in images]
            self.norm(torch.tensor(shares)[:, None].expand(-1, 2).contiguous())
            return super().losses(images, targets)

    monkeypatch.setattr(sys.modules["training_fixture"], "Measurer", Normalised)
    request = replace(request_, validate_on=validate_on)
    outcome = run(request, precise_bn=True)
    shares = torch.tensor([side(i) ** 2 / (24 * 20) for i in range(COUNT)])
    last = weights(outcome)
    # 200 micro-batches of two are all images equally often, but for the last epoch.
    assert last["norm.running_mean"].tolist() == pytest.approx([float(shares.mean())] * 2, rel=0.01)
    moving = weights(run(replace(request, out=tmp_path / "moving")))
    assert moving["norm.running_mean"].tolist() != last["norm.running_mean"].tolist()
    for name in ("hidden.weight", "out.weight", "norm.num_batches_tracked"):
        assert torch.equal(last[name], moving[name])


def test_an_interrupt_finishes_the_step_and_keeps_it(request_, tmp_path):
    whole = run(replace(request_, out=tmp_path / "whole"))

    def interrupt(loss):
        os.kill(os.getpid(), signal.SIGINT)
        return loss

    before = signal.getsignal(signal.SIGINT)
    Measurer.calls, Measurer.at_step = 0, {5: interrupt}
    with pytest.raises(InterruptedRun, match=r"after step 3 of 12.*--resume"):
        run(request_)
    assert signal.getsignal(signal.SIGINT) is before
    assert read_log(request_.out)["step"].to_pylist() == [1, 2, 3]
    Measurer.at_step = {}
    assert_same(weights(run(replace(request_, resume=True))), weights(whole))


def test_an_interrupted_validation_is_made_up_for(request_, tmp_path, monkeypatch):
    whole = run(replace(request_, out=tmp_path / "whole"))
    predict = Measurer.predict

    def interrupt(self, images):
        os.kill(os.getpid(), signal.SIGINT)
        return predict(self, images)

    monkeypatch.setattr(Measurer, "predict", interrupt)
    with pytest.raises(InterruptedRun, match=r"after step 4 of 12"):
        run(request_)
    monkeypatch.setattr(Measurer, "predict", predict)
    resumed = run(replace(request_, resume=True))
    assert_same(weights(resumed), weights(whole))
    assert read_log(request_.out, VALIDATION)["step"].to_pylist() == [4, 8, 12]


def test_an_image_that_cannot_be_read_costs_nothing(request_, tmp_path, monkeypatch):
    whole = run(replace(request_, out=tmp_path / "whole"))
    load, broken = Squares.load, Measurer.seen[13][0]
    loaded = []

    def load_or_fail(self, record):
        loaded.append(record.id)
        if record.id == broken and loaded.count(broken) == 3:
            raise InputError("is truncated", file=record.file_name)
        return load(self, record)

    monkeypatch.setattr(Squares, "load", load_or_fail)
    with pytest.raises(InputError, match="is truncated"):
        run(request_)
    monkeypatch.setattr(Squares, "load", load)
    # All that was done of the third epoch is kept, though no checkpoint was due after step 5.
    state = torch.load(request_.out / "last" / "state.pt", weights_only=True)
    assert state["training"]["step"] == read_log(request_.out).num_rows >= 6
    assert_same(weights(run(replace(request_, resume=True))), weights(whole))


def test_a_loss_that_is_no_number_stops_it(request_):
    Measurer.at_step = {14: lambda loss: loss * float("nan")}
    with pytest.raises(NonFiniteError) as caught:
        run(request_)
    guilty = Measurer.seen[13]
    told = str(caught.value)
    assert "step 7: side is not finite" in told
    assert ", ".join(map(str, guilty)) in told
    assert "training.optimizer.lr" in told
    folder = request_.out / "nonfinite"
    report = json.loads((folder / "report.json").read_text())
    assert report["step"] == 7
    assert report["lr"] == pytest.approx(0.02)
    first, second = report["batches"]
    assert first["finite"] and not second["finite"]
    assert second["image_ids"] == list(guilty)
    assert second["losses"]["side"] == "nan"
    assert all(value.isfinite().all() for value in load_file(folder / "model.safetensors").values())
    state = torch.load(folder / "state.pt", weights_only=True)
    assert state["training"]["step"] == 6
    assert read_log(request_.out)["step"].to_pylist() == list(range(1, 7))


def test_a_gradient_that_is_no_number_stops_it(request_):
    # The root's slope at 0 is infinite, its value is not.
    Measurer.at_step = {6: lambda loss: loss + (loss - loss).sqrt()}
    with pytest.raises(NonFiniteError, match="step 3: the gradients' norm is nan"):
        run(request_)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_too_little_memory_is_told_with_the_batch(request_, error):
    def fail(loss):
        raise error

    Measurer.at_step = {3: fail}
    with pytest.raises(OutOfMemoryError) as caught:
        run(request_)
    image_id = Measurer.seen[2][0]
    assert f"step 2: out of memory at image {image_id} of 24 x 20 with 1 objects" in str(
        caught.value
    )
    assert "training.accumulate" in str(caught.value)


def test_other_errors_are_left_as_they_are(request_):
    def fail(loss):
        raise RuntimeError("shapes differ")

    Measurer.at_step = {3: fail}
    with pytest.raises(RuntimeError, match="shapes differ"):
        run(request_)


def test_another_training_is_not_gone_on_with(request_):
    run(request_, iterations=2)
    with pytest.raises(UsageError, match=r"holds a training already.*--resume"):
        run(request_, iterations=2)
    with pytest.raises(UsageError, match=r"training\.optimizer\.momentum: 0\.9 there, 0\.5 here"):
        run(replace(request_, resume=True), iterations=2, optimizer={"momentum": 0.5})
    with pytest.raises(DataMissingError, match="no checkpoint"):
        run(replace(request_, resume=True, out=request_.out / "elsewhere"))


def test_what_has_no_influence_may_change_at_a_resume(request_):
    run(request_, iterations=2)
    again = replace(request_, resume=True)
    outcome = run(again, iterations=2, validate_every=1, log_every=3)
    assert outcome.steps == 2


def test_two_processes_may_go_on_where_one_stopped(request_, monkeypatch):
    def identity(**training):
        settings = replace(request_, overrides={"training": training})
        return training_identity(plan_training(settings))

    alone = identity(accumulate=2)
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert identity(accumulate=1) == alone
    # Batches of another size are another training.
    assert identity(accumulate=2) != alone


def test_early_stopping(request_):
    # Nothing is learnt at this rate, so that no validation is better than the first.
    outcome = run(
        request_,
        optimizer={"lr": 1e-12},
        validate_every=2,
        early_stopping={"patience": 2},
    )
    assert outcome.stopped_early
    assert outcome.steps == 6
    assert outcome.best_step == 2


def test_nothing_is_validated_where_there_is_nothing(request_):
    outcome = run(replace(request_, validate_on="none"), iterations=2)
    assert not outcome.last
    assert set(outcome.weights) == {"last"}
    assert not (request_.out / "best").exists()


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_mixed_precision(request_, precision):
    outcome = run(replace(request_, precision=precision), iterations=3)
    state = torch.load(outcome.out / "last" / "state.pt", weights_only=True)
    assert bool(state["trainee"]["scaler"]) == (precision == "fp16")
    assert all(each.dtype == torch.float32 for each in weights(outcome).values())
    resumed = run(replace(request_, precision=precision, resume=True), iterations=3)
    assert resumed.steps == 3


def test_a_batch_that_cannot_be_shared(request_):
    with pytest.raises(UsageError, match="take a multiple of 3"):
        run(request_, accumulate=3)


def test_a_model_without_losses(request_, monkeypatch):
    class Mute(nn.Linear):
        predict = Measurer.predict

    monkeypatch.setattr(sys.modules["training_fixture"], "Measurer", lambda _: Mute(1, 1))
    with pytest.raises(ContractError, match="cannot train"):
        run(request_)


def test_proposals_of_a_file(request_, registry_, tmp_path):
    def read(path):
        side = float(path.read_text())
        return lambda record: np.array([[0, 0, side, record.id]], np.float32)

    vars(sys.modules["training_fixture"])["read"] = read
    registry_.models["measurer"] = replace(
        registry_.models["measurer"], proposals="training_fixture:read"
    )
    with pytest.raises(UsageError, match=r"training\.data\.proposals=FILE"):
        run(request_)
    (tmp_path / "proposals.pkl").write_text("9")
    data = {"proposals": str(tmp_path / "proposals.pkl")}
    settings = plan_training(replace(request_, overrides={"training": {"data": data}}))
    assert settings.examples[0].example(3).target.proposals.tolist() == [[0, 0, 9, 3]]


def test_the_command(request_, capsys, tmp_path):
    args = ["train", "measurer_squares", "--out", str(tmp_path / "x"), "--threads", "1"]
    args += ["--device", "cpu", "training.iterations=3"]
    assert main([*args, "--dry-run", "--json"]) == 0
    explained = json.loads(capsys.readouterr().out)
    assert explained["parameters_trained"] == 2 * 8 + 8 + 8 + 1
    assert explained["parameters_frozen"] == 3
    assert explained["training_images"] == COUNT
    assert explained["dataset"] == "squares/train"
    assert explained["validation"] == "squares/val"
    assert not (tmp_path / "x").exists()
    assert main([*args, "--json", "--limit", "4"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["steps"] == 3
    assert told["epochs"] == 3
    assert {i for batch in Measurer.seen for i in batch} == {0, 1, 2, 3}
    assert main([*args, "--out", str(tmp_path / "y")]) == 0
    assert "bbox/AP" in capsys.readouterr().out
