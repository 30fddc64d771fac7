"""Ctrl-C in a real run of a real model, then ``--resume``."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

IMAGES = 30
ARGS = [
    "run", "--model", "mask_rcnn", "--dataset", "shapes", "--threads", "1", "--json",
    "--warmup", "0", f"dataset.count={IMAGES}", "model.roi_heads.score_thresh_test=0.02",
    # Large enough that no machine is done before it is interrupted.
    "model.input.min_size_test=320", "model.input.max_size_test=512",
]  # fmt: skip


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return {**os.environ, "BENCHSUITE_CACHE": str(tmp_path_factory.mktemp("cache"))}


def heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def start(out: Path, environment: dict[str, str], *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchsuite", *ARGS, *more, "--out", str(out)],
        env=environment,
        # Whoever runs the tests in the background may have them ignore Ctrl-C.
        preexec_fn=None if os.name == "nt" else heed_interrupts,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> dict:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.mark.skipif(os.name == "nt", reason="SIGINT to one child needs POSIX")
def test_interrupted_and_resumed_equals_uninterrupted(environment, tmp_path):
    whole = finish(start(tmp_path / "whole", environment))

    process = start(tmp_path / "broken", environment)
    # The working area appears with the first image; a little later some are done.
    deadline = time.monotonic() + 120
    while not list((tmp_path / "broken").glob(".work/*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    done = re.search(r"interrupted after (\d+) of 30 images.*--resume", err)
    assert done, err
    assert int(done[1]) < IMAGES
    assert not list((tmp_path / "broken").glob("runs/*.parquet"))

    process = start(tmp_path / "broken", environment, "--resume")
    resumed = finish(process)
    assert resumed["metrics"] == whole["metrics"]
    assert resumed["result_id"] == whole["result_id"]
    assert resumed["n_predictions"] == whole["n_predictions"] > 0
    predictions = [pq.read_table(each["predictions"]) for each in (resumed, whole)]
    assert predictions[0].equals(predictions[1])
    images = [
        pq.read_table(Path(each["predictions"]).parents[1] / "prediction_images")
        for each in (resumed, whole)
    ]
    assert images[0].equals(images[1])
    assert images[0].num_rows == IMAGES
