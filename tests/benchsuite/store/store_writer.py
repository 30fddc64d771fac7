"""Writes runs and is killed: a program that ``test_publication`` starts, and no test by itself.

``store_writer.py steps ROOT`` writes one run again and again, each time in a new process and a new
store, killed one step of the file system later; ``store_writer.py crowd ROOT`` writes with eight
processes, three of which are killed at random moments.

A run's own row says how many rows its tables must have, so that a reader can tell a whole one.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa

from benchsuite import schemas
from benchsuite.files import durable
from benchsuite.store.results_store import Staging, Store, new_run_id

STEPS = ("sync_file", "sync_folder", "make_folder", "rename", "remove_folder")


def write_run(store: Store, run_id: str, size: int) -> None:
    with store.stage(run_id) as staging:
        fill(staging, size)


def fill(staging: Staging, size: int) -> None:
    run_id = staging.run_id
    row = {
        field.name: ([] if pa.types.is_list(field.type) else "" if field.type == pa.string() else 0)
        for field in schemas.RUNS
    }
    row |= {"run_id": run_id, "created": datetime.now(UTC), "weights_random": False}
    row |= dict.fromkeys(("compile", "channels_last", "cuda_graph"), False)
    row |= {"partial": False, "n_images": size, "n_predictions": 7 * size, "parameters": 3 * size}
    images = {
        "image_id": list(range(size)),
        "file_name": [f"{i}.png" for i in range(size)],
        "width": pa.array([8] * size, pa.int32()),
        "height": pa.array([8] * size, pa.int32()),
        "n_instances": pa.array([7] * size, pa.int32()),
    }
    instances = {
        "prediction": list(range(7 * size)),
        "image_id": [i // 7 for i in range(7 * size)],
        "category_id": [1] * (7 * size),
        "score": [0.5] * (7 * size),
    }
    environment = {
        "run_id": [run_id] * (3 * size),
        "name": [f"fact {i}" for i in range(3 * size)],
        "value": ["x" * 50] * (3 * size),
    }
    staging.write("predictions", pa.table(instances))
    staging.write("prediction_images", pa.table(images))
    staging.write("environment", pa.table(environment))
    staging.write("runs", pa.Table.from_pylist([row], schema=schemas.RUNS))
    staging.write_text("reports", "report.html", f"<p>{run_id}</p>" * size)


def count_steps(at_step: Callable[[int, str], None], after: bool) -> None:
    """Call ``at_step(number, what)`` before (or after) each step that changes the file system."""
    numbers = itertools.count()

    def counting(name: str) -> Callable[..., None]:
        real = getattr(durable, name)

        def step(*paths: Path) -> None:
            mine = next(numbers)
            if not after:
                at_step(mine, f"{name} {paths[-1]}")
            real(*paths)
            if after:
                at_step(mine, f"{name} {paths[-1]}")

        return step

    for name in STEPS:
        setattr(durable, name, counting(name))


def in_child(work: Callable[[], None]) -> int:
    """Run in a new process; its id."""
    if pid := os.fork():
        return pid
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def killed_at(root: Path, last: int, after: bool) -> None:
    def at_step(number: int, what: str) -> None:
        with (root / "steps.txt").open("a") as steps:
            print(what, file=steps)
        if number == last:
            os.kill(os.getpid(), signal.SIGKILL)

    root.mkdir(parents=True)
    count_steps(at_step, after)
    write_run(Store(root / "store"), "run", 3)
    (root / "acknowledged").touch()


def steps(root: Path) -> None:
    for after in (False, True):
        last, survived = 0, False
        while not survived:
            place = root / f"{'after' if after else 'before'}-{last}"
            pid = in_child(partial(killed_at, place, last, after))
            _, status = os.waitpid(pid, 0)
            survived = os.WIFEXITED(status)
            if survived and os.WEXITSTATUS(status):
                sys.exit(f"the writer failed by itself in {place}")
            last += 1


def crowd(root: Path) -> None:
    chance = random.Random(20261121)

    def write_many(number: int, count: int) -> None:
        acknowledged = (root / f"acknowledged-{number}.txt").open("a", buffering=1)
        store = Store(root / "store")
        for i in range(count):
            run_id = new_run_id(f"writer_{number}", "crowd", datetime.now(UTC))
            write_run(store, run_id, 1 + (number + i) % 40)
            print(run_id, file=acknowledged)

    victims = [in_child(partial(write_many, n, 10**6)) for n in range(3)]
    others = [in_child(partial(write_many, n, 30)) for n in range(3, 8)]
    time.sleep(0.5)
    for pid in victims:
        time.sleep(chance.uniform(0.1, 0.6))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    failed = [pid for pid in others if os.waitpid(pid, 0)[1]]
    print(json.dumps({"killed": len(victims), "failed": len(failed)}))


if __name__ == "__main__":
    # Arrow imports pandas at its first array: once here instead of once in every child.
    pa.array([0])
    {"steps": steps, "crowd": crowd}[sys.argv[1]](Path(sys.argv[2]))
