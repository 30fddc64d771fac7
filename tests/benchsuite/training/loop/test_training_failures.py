"""What stops a training, and what is kept of it."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from benchsuite.errors import (
    InputError,
    InterruptedRun,
)
from benchsuite.training.failures.nonfinite import NonFiniteError
from benchsuite.training.failures.out_of_memory import OutOfMemoryError
from benchsuite.training.log import VALIDATION, read_log


def test_an_interrupt_finishes_the_step_and_keeps_it(small, request_, tmp_path):
    whole = small.run(replace(request_, out=tmp_path / "whole"))

    def interrupt(loss):
        os.kill(os.getpid(), signal.SIGINT)
        return loss

    before = signal.getsignal(signal.SIGINT)
    small.Measurer.calls, small.Measurer.at_step = 0, {5: interrupt}
    with pytest.raises(InterruptedRun, match=r"after step 3 of 12.*--resume"):
        small.run(request_)
    assert signal.getsignal(signal.SIGINT) is before
    assert read_log(request_.out)["step"].to_pylist() == [1, 2, 3]
    small.Measurer.at_step = {}
    small.assert_same(
        small.weights(small.run(replace(request_, resume=True))), small.weights(whole)
    )


def test_an_interrupted_validation_is_made_up_for(small, request_, tmp_path, monkeypatch):
    whole = small.run(replace(request_, out=tmp_path / "whole"))
    predict = small.Measurer.predict

    def interrupt(self, images):
        os.kill(os.getpid(), signal.SIGINT)
        return predict(self, images)

    monkeypatch.setattr(small.Measurer, "predict", interrupt)
    with pytest.raises(InterruptedRun, match=r"after step 4 of 12"):
        small.run(request_)
    monkeypatch.setattr(small.Measurer, "predict", predict)
    resumed = small.run(replace(request_, resume=True))
    small.assert_same(small.weights(resumed), small.weights(whole))
    assert read_log(request_.out, VALIDATION)["step"].to_pylist() == [4, 8, 12]


def test_an_image_that_cannot_be_read_costs_nothing(small, request_, tmp_path, monkeypatch):
    whole = small.run(replace(request_, out=tmp_path / "whole"))
    load, broken = small.Squares.load, small.Measurer.seen[13][0]
    loaded = []

    def load_or_fail(self, record):
        loaded.append(record.id)
        if record.id == broken and loaded.count(broken) == 3:
            raise InputError("is truncated", file=record.file_name)
        return load(self, record)

    monkeypatch.setattr(small.Squares, "load", load_or_fail)
    with pytest.raises(InputError, match="is truncated"):
        small.run(request_)
    monkeypatch.setattr(small.Squares, "load", load)
    # All that was done of the third epoch is kept, though no checkpoint was due after step 5.
    state = torch.load(request_.out / "last" / "state.pt", weights_only=True)
    assert state["training"]["step"] == read_log(request_.out).num_rows >= 6
    small.assert_same(
        small.weights(small.run(replace(request_, resume=True))), small.weights(whole)
    )


def test_a_loss_that_is_no_number_stops_it(small, request_):
    small.Measurer.at_step = {14: lambda loss: loss * float("nan")}
    with pytest.raises(NonFiniteError) as caught:
        small.run(request_)
    guilty = small.Measurer.seen[13]
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


def test_a_gradient_that_is_no_number_stops_it(small, request_):
    # The root's slope at 0 is infinite, its value is not.
    small.Measurer.at_step = {6: lambda loss: loss + (loss - loss).sqrt()}
    with pytest.raises(NonFiniteError, match="step 3: the gradients' norm is nan"):
        small.run(request_)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_too_little_memory_is_told_with_the_batch(small, request_, error):
    def fail(loss):
        raise error

    small.Measurer.at_step = {3: fail}
    with pytest.raises(OutOfMemoryError) as caught:
        small.run(request_)
    image_id = small.Measurer.seen[2][0]
    assert f"step 2: out of memory at image {image_id} of 24 x 20 with 1 objects" in str(
        caught.value
    )
    assert "training.accumulate" in str(caught.value)


def test_other_errors_are_left_as_they_are(small, request_):
    def fail(loss):
        raise RuntimeError("shapes differ")

    small.Measurer.at_step = {3: fail}
    with pytest.raises(RuntimeError, match="shapes differ"):
        small.run(request_)
