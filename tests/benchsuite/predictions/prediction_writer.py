"""Predicts, is killed and goes on: a program that ``test_prediction_parts`` starts, and no test.

``prediction_writer.py ROOT`` first runs through and merges into ``ROOT/whole``; then, again and
again in new folders, it is killed one step of the file system later, and goes on in a new process.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchsuite.files import durable
from benchsuite.predictions.parts import PredictionParts
from benchsuite.records import ImageRecord, Prediction

STEPS = ("sync_file", "sync_folder", "make_folder", "rename", "remove_tree")
IMAGES, BATCH = 7, 2
CATEGORY_IDS = (3, None, 1)


def predict(index: int) -> tuple[ImageRecord, Prediction, dict[str, float]]:
    chance = np.random.default_rng(index)
    count = int(chance.integers(0, 5))
    start = chance.random((count, 2)) * 4
    boxes = np.concatenate([start, start + chance.random((count, 2)) * 4], axis=1)
    prediction = Prediction(
        boxes,
        chance.random(count),
        chance.integers(0, 3, count),
        chance.random((count, 8, 8)) < 0.5,
    )
    sample = {"batch": index // BATCH, "batch_size": BATCH, "load_ms": 1.0, "model_ms": 2.0}
    return ImageRecord(2**40 + index, f"{index}.png", 8, 8), prediction, sample


def walk(folder: Path, merged: Path | None) -> None:
    """Predict what is not there yet, in parts of two batches; merge and discard."""
    with PredictionParts(folder, "identity", CATEGORY_IDS, flush_images=4) as parts:
        for start in range(parts.finished(), IMAGES, BATCH):
            parts.append([predict(i) for i in range(start, min(start + BATCH, IMAGES))])
        if merged is not None:
            merged.mkdir(exist_ok=True)
            names = ("instances", "images", "samples")
            parts.merge(*(merged / f"{name}.parquet" for name in names), run_id="run")
        parts.flush()


def kill_at(last: int, after: bool) -> None:
    """Let the file system's step number ``last`` be this process's end, before or after it."""
    number = 0

    def counting(real: Callable[..., None]) -> Callable[..., None]:
        def step(*arguments: object) -> None:
            nonlocal number
            mine, number = number, number + 1
            if mine == last and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            real(*arguments)
            if mine == last and after:
                os.kill(os.getpid(), signal.SIGKILL)

        return step

    for name in STEPS:
        setattr(durable, name, counting(getattr(durable, name)))


def killed(folder: Path, last: int, after: bool) -> None:
    kill_at(last, after)
    walk(folder, None)


def in_child(work: Callable[[], None]) -> int:
    """Run in a new process; how it ended."""
    if pid := os.fork():
        return os.waitpid(pid, 0)[1]
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def main(root: Path) -> None:
    # Arrow imports pandas at its first array: once here instead of once in every child.
    pa.array([0])
    if in_child(partial(walk, root / "parts", root / "whole")):
        sys.exit("the uninterrupted run failed")
    for after in (False, True):
        last, ended = 0, -1
        while ended != 0:
            name = f"{'after' if after else 'before'}-{last}"
            ended = in_child(partial(killed, root / f"parts-{name}", last, after))
            if ended not in (0, signal.SIGKILL):
                sys.exit(f"the run failed by itself in {name}")
            if in_child(partial(walk, root / f"parts-{name}", root / name)):
                sys.exit(f"the resumed run failed in {name}")
            last += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))
