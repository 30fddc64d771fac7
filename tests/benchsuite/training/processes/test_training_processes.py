"""Several processes on the CPU (gloo) train as one does that accumulates their micro-batches."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchsuite.cli.main import main
from benchsuite.errors import UsageError
from benchsuite.training.log import VALIDATION, read_log
from benchsuite.training.processes.processes import Processes, find_processes

STEPS = 20
_BATCH_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
ARGS = [
    "train", "mask_rcnn_R_18_FPN_shapes", "--threads", "1", "--device", "cpu", "--workers", "0",
    "dataset.count=6", "dataset.size=64", "model.resnet.depth=18", "model.resnet.norm=BN",
    "model.resnet.freeze_at=0", "model.resnet.res2_out_channels=16",
    "model.rpn.training.post_nms_topk=50", "model.roi_heads.training.batch_size_per_image=64",
    "model.rpn.post_nms_topk_test=20", f"training.iterations={STEPS}",
    "training.images_per_batch=2", "training.optimizer.type=SGD", "training.optimizer.lr=0.01",
    "training.schedule.type=step", "training.schedule.steps=[15]",
    "training.schedule.warmup_iters=5", "training.init=", "training.validation.limit=3",
    "training.ema.decay=0.9", "training.clip_gradients.value=20",
    "training.precision=fp32", "training.augmentations=[]", "training.auto_scale=false",
]  # fmt: skip


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def start_two(*args: str) -> list[subprocess.CompletedProcess[str]]:
    """Two processes as torchrun starts them."""
    shared = {
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "benchsuite", *args],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        return [
            subprocess.CompletedProcess(each.args, each.wait(), *each.communicate(timeout=300))
            for each in started
        ]
    finally:
        for each in started:
            each.kill()


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """What one process comes to that accumulates two micro-batches."""
    folder = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCHSUITE_CACHE", str(folder / "cache"))
        assert main([*ARGS, "training.accumulate=2", "--out", str(folder / "out")]) == 0
    return folder


# Parts of a model lie in memory otherwise: sums are rounded otherwise, until one day a proposal is
# another one.
@pytest.mark.parametrize(("strategy", "alike"), [("ddp", STEPS), ("fsdp", 8)])
def test_two_processes_train_as_one(alone, tmp_path, monkeypatch, strategy, alike):
    monkeypatch.setenv("BENCHSUITE_CACHE", str(alone / "cache"))
    out = tmp_path / "out"
    first, second = start_two(*ARGS, "--out", str(out), "--strategy", strategy)
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "bbox/AP" in first.stdout
    assert second.stdout == ""
    ours, theirs = read_log(out), read_log(alone / "out")
    assert ours["step"].to_pylist() == list(range(1, STEPS + 1))
    losses = [name for name in theirs.column_names if name.startswith("loss")]
    assert len(losses) == 6
    for name in losses:
        expected = pytest.approx(theirs[name].to_pylist()[:alike], abs=1e-4)
        assert ours[name].to_pylist()[:alike] == expected
    weights = [load_file(each / "last" / "model.safetensors") for each in (out, alone / "out")]
    assert {name: each.shape for name, each in weights[0].items()} == {
        name: each.shape for name, each in weights[1].items()
    }
    if alike == STEPS:
        # Running means are of the batches that a process sees itself.
        for name in (each for each in weights[1] if not each.endswith(_BATCH_STATISTICS)):
            torch.testing.assert_close(weights[0][name], weights[1][name], atol=1e-4, rtol=1e-3)
    values = read_log(out, VALIDATION)
    assert values["step"].to_pylist() == [STEPS]


def test_what_torchrun_says():
    environment = {"WORLD_SIZE": "8", "RANK": "5", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}
    found = find_processes(environment)
    assert found == Processes(rank=5, world_size=8, local_rank=1, local_world_size=4)
    assert found.nodes == 2
    assert not found.is_first
    assert find_processes({}) == Processes(0, 1, 0, 1)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"RANK": "8"}, "contradict"),
        ({"WORLD_SIZE": "many"}, "no number"),
        ({"LOCAL_WORLD_SIZE": "3"}, "equally many"),
    ],
)
def test_what_it_cannot_say(changed, told):
    environment = {"WORLD_SIZE": "8", "RANK": "5", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}
    with pytest.raises(UsageError, match=told):
        find_processes({**environment, **changed})
