"""The loop with a small model and dataset that are registered for the test."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from benchsuite import (
    ImageRecord,
)
from benchsuite.cli.main import main
from benchsuite.errors import (
    ContractError,
    DataMissingError,
    UsageError,
)
from benchsuite.targets import Target
from benchsuite.training.identity import training_identity
from benchsuite.training.log import STEPS, VALIDATION, read_log
from benchsuite.training.plan import plan_training


def test_a_training_leaves_weights_log_and_description(small, request_):
    outcome = small.run(request_)
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
def test_it_does_what_a_plain_loop_does(small, request_, optimizer):
    """The same steps with torch alone: order from the loop, all else written out here."""
    small.Measurer.dropout = 0.0
    outcome = small.run(request_, iterations=6, optimizer={"lr": 0.02, "type": optimizer})
    assert torch.equal(small.weights(outcome)["frozen"], torch.ones(3))
    batches = list(small.Measurer.seen)
    assert len(batches) == 12
    assert sorted(i for batch in batches[:6] for i in batch) == list(range(small.COUNT))

    squares = small.Squares(SimpleNamespace(split="train"))
    plain = small.Measurer(SimpleNamespace(seed=3, device="cpu"))
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
            targets = [Target([[0, 0, small.side(i), small.side(i)]], [0]) for i in batch]
            (sum(plain.losses(images, targets).values()) / 2).backward()
        updates.step()
    for name, value in small.weights(outcome).items():
        torch.testing.assert_close(value, plain.state_dict()[name])


@pytest.mark.parametrize("ema", [None, {"decay": 0.9, "warmup_iters": 4}])
@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
def test_a_resumed_training_ends_with_the_same_weights(small, request_, tmp_path, optimizer, ema):
    training = {"optimizer": {"lr": 0.02, "type": optimizer}, "ema": ema}
    whole = small.run(replace(request_, out=tmp_path / "whole"), **training)

    def die(loss):
        raise SystemExit("as if killed")

    # Two calls a step: in the middle of step 7, two steps after the checkpoint.
    small.Measurer.calls, small.Measurer.at_step = 0, {14: die}
    with pytest.raises(SystemExit):
        small.run(request_, **training)
    small.Measurer.at_step = {}
    resumed = small.run(replace(request_, resume=True), **training)
    small.assert_same(small.weights(resumed), small.weights(whole))
    small.assert_same(small.weights(resumed, "best"), small.weights(whole, "best"))
    states = [
        torch.load(each.out / "last" / "state.pt", weights_only=True) for each in (resumed, whole)
    ]
    assert states[0]["training"] == states[1]["training"]
    small.assert_same(states[0]["trainee"]["buffers"], states[1]["trainee"]["buffers"])
    # Weights that are averaged are kept beside those that are trained.
    trained = [each["trainee"].get("trained", {}) for each in states]
    small.assert_same(*trained)
    assert bool(trained[0]) == (ema is not None)
    logs = [read_log(each.out) for each in (resumed, whole)]
    for column in ("step", "loss", "lr", "grad_norm"):
        assert logs[0][column].to_pylist() == logs[1][column].to_pylist()


@pytest.mark.parametrize("validate_on", [None, "none"])
def test_statistics_of_batch_norm_are_those_of_the_last_weights(
    small, request_, tmp_path, monkeypatch, validate_on
):
    class Normalised(small.Measurer):
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
    outcome = small.run(request, precise_bn=True)
    shares = torch.tensor([small.side(i) ** 2 / (24 * 20) for i in range(small.COUNT)])
    last = small.weights(outcome)
    # 200 micro-batches of two are all images equally often, but for the last epoch.
    assert last["norm.running_mean"].tolist() == pytest.approx([float(shares.mean())] * 2, rel=0.01)
    moving = small.weights(small.run(replace(request, out=tmp_path / "moving")))
    assert moving["norm.running_mean"].tolist() != last["norm.running_mean"].tolist()
    for name in ("hidden.weight", "out.weight", "norm.num_batches_tracked"):
        assert torch.equal(last[name], moving[name])


def test_another_training_is_not_gone_on_with(small, request_):
    small.run(request_, iterations=2)
    with pytest.raises(UsageError, match=r"holds a training already.*--resume"):
        small.run(request_, iterations=2)
    with pytest.raises(UsageError, match=r"training\.optimizer\.momentum: 0\.9 there, 0\.5 here"):
        small.run(replace(request_, resume=True), iterations=2, optimizer={"momentum": 0.5})
    with pytest.raises(DataMissingError, match="no checkpoint"):
        small.run(replace(request_, resume=True, out=request_.out / "elsewhere"))


def test_what_has_no_influence_may_change_at_a_resume(small, request_):
    small.run(request_, iterations=2)
    again = replace(request_, resume=True)
    outcome = small.run(again, iterations=2, validate_every=1, log_every=3)
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


def test_early_stopping(small, request_):
    # Nothing is learnt at this rate, so that no validation is better than the first.
    outcome = small.run(
        request_,
        optimizer={"lr": 1e-12},
        validate_every=2,
        early_stopping={"patience": 2},
    )
    assert outcome.stopped_early
    assert outcome.steps == 6
    assert outcome.best_step == 2


def test_nothing_is_validated_where_there_is_nothing(small, request_):
    outcome = small.run(replace(request_, validate_on="none"), iterations=2)
    assert not outcome.last
    assert set(outcome.weights) == {"last"}
    assert not (request_.out / "best").exists()


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_mixed_precision(small, request_, precision):
    outcome = small.run(replace(request_, precision=precision), iterations=3)
    state = torch.load(outcome.out / "last" / "state.pt", weights_only=True)
    assert bool(state["trainee"]["scaler"]) == (precision == "fp16")
    assert all(each.dtype == torch.float32 for each in small.weights(outcome).values())
    resumed = small.run(replace(request_, precision=precision, resume=True), iterations=3)
    assert resumed.steps == 3


def test_a_batch_that_cannot_be_shared(small, request_):
    with pytest.raises(UsageError, match="take a multiple of 3"):
        small.run(request_, accumulate=3)


def test_a_model_without_losses(small, request_, monkeypatch):
    class Mute(nn.Linear):
        predict = small.Measurer.predict

    monkeypatch.setattr(sys.modules["training_fixture"], "Measurer", lambda _: Mute(1, 1))
    with pytest.raises(ContractError, match="cannot train"):
        small.run(request_)


def test_proposals_of_a_file(small, request_, registry_, tmp_path):
    def read(path):
        side = float(path.read_text())
        return lambda record: np.array([[0, 0, side, record.id]], np.float32)

    vars(sys.modules["training_fixture"])["read"] = read
    registry_.models["measurer"] = replace(
        registry_.models["measurer"], proposals="training_fixture:read"
    )
    with pytest.raises(UsageError, match=r"training\.data\.proposals=FILE"):
        small.run(request_)
    (tmp_path / "proposals.pkl").write_text("9")
    data = {"proposals": str(tmp_path / "proposals.pkl")}
    settings = plan_training(replace(request_, overrides={"training": {"data": data}}))
    assert settings.examples[0].example(3).target.proposals.tolist() == [[0, 0, 9, 3]]


def test_the_command(small, request_, capsys, tmp_path):
    args = ["train", "measurer_squares", "--out", str(tmp_path / "x"), "--threads", "1"]
    args += ["--device", "cpu", "training.iterations=3"]
    assert main([*args, "--dry-run", "--json"]) == 0
    explained = json.loads(capsys.readouterr().out)
    assert explained["parameters_trained"] == 2 * 8 + 8 + 8 + 1
    assert explained["parameters_frozen"] == 3
    assert explained["training_images"] == small.COUNT
    assert explained["dataset"] == "squares/train"
    assert explained["validation"] == "squares/val"
    assert not (tmp_path / "x").exists()
    assert main([*args, "--json", "--limit", "4"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["steps"] == 3
    assert told["epochs"] == 3
    assert {i for batch in small.Measurer.seen for i in batch} == {0, 1, 2, 3}
    assert main([*args, "--out", str(tmp_path / "y")]) == 0
    assert "bbox/AP" in capsys.readouterr().out
