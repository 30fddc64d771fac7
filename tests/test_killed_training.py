"""A real model's training, killed in the middle, then ``--resume``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from benchsuite.cli.main import main
from benchsuite.training.log import read_log

ARGS = [
    "train", "mask_rcnn_R_18_FPN_shapes", "--validate-on", "none", "--threads", "1", "--json",
    "--device", "cpu", "--workers", "0", "dataset.count=8", "dataset.size=64",
    "model.resnet.depth=18", "model.resnet.norm=BN", "model.resnet.freeze_at=0",
    "model.resnet.res2_out_channels=16", "model.rpn.training.post_nms_topk=50",
    "training.iterations=9", "training.images_per_batch=2", "training.checkpoint_every=4",
    "training.schedule.type=step", "training.schedule.warmup_iters=2",
    "training.schedule.steps=[6]", "training.init=", "training.precision=fp32",
    "training.augmentations=[]", "training.auto_scale=false",
]  # fmt: skip

KILLED_AT_STEP_7 = """
import os, signal, sys
from benchsuite.cli.main import main
from benchsuite.training import trainee

apply, calls = trainee.apply_gradients, []

def apply_or_die(*args):
    calls.append(args)
    if len(calls) == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return apply(*args)

trainee.apply_gradients = apply_or_die
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return str(tmp_path_factory.mktemp("cache"))


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL needs POSIX")
@pytest.mark.parametrize(
    "optimizer",
    [
        ["training.optimizer.type=SGD", "training.optimizer.lr=0.01"],
        ["training.optimizer.type=AdamW", "training.optimizer.lr=0.001", "training.ema.decay=0.9"],
    ],
    ids=["SGD", "AdamW with an average"],
)
def test_killed_and_resumed_equals_uninterrupted(cache, tmp_path, monkeypatch, capsys, optimizer):
    monkeypatch.setenv("BENCHSUITE_CACHE", cache)
    command = [*ARGS, *optimizer, "--out"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main([*command, str(whole)]) == 0
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT_STEP_7, *command, str(broken)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    state = torch.load(broken / "last" / "state.pt", weights_only=True)
    assert state["training"]["step"] == 4
    capsys.readouterr()
    assert main([*command, str(broken), "--resume"]) == 0
    assert "going on after step 4 of 9" in capsys.readouterr().err
    first, second = (load_file(each / "last" / "model.safetensors") for each in (whole, broken))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    logs = [read_log(each) for each in (whole, broken)]
    assert logs[1]["step"].to_pylist() == list(range(1, 10))
    assert logs[0]["loss"].to_pylist() == logs[1]["loss"].to_pylist()
