"""One loader in a process of its own.

    python -m loading_cases.process SIDE FOLDER boxes|masks WORKERS

Needs Linux, which tells how memory is shared.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch
from measuring.served_process import ServedProcess, answer, served

from loading_cases.sides import BATCH, PREFETCH, SIDES, Sizes

TURN = 128
FOLDER = Path(__file__).resolve().parent.parent


@contextmanager
def serving(side: str, folder: Path, learnt: str, workers: int) -> Iterator[ServedProcess]:
    """A loader of the dataset in ``folder``; what is ``learnt``: ``boxes`` or ``masks``."""
    command = [sys.executable, "-m", "loading_cases.process", side, str(folder), learnt]
    command.append(str(workers))
    # What this process can import, the loader can.
    paths = dict.fromkeys([str(FOLDER), *filter(None, sys.path)])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    with served(command, environment) as process:
        yield process


def serve(side: str, folder: Path, masks: bool, workers: int) -> None:
    torch.set_num_threads(1)
    batches = SIDES[side](folder, masks, workers)
    # Batches that were made while others took their turns do not count.
    drained = workers * PREFETCH + 2

    def turn() -> dict[str, float]:
        for _ in range(drained):
            next(batches)
        found: Sizes = []
        shown = 0
        start, computed = time.perf_counter(), cpu_seconds()
        for _ in range(TURN // BATCH):
            sizes, count = next(batches)
            found += sizes
            shown += count
        reply = {
            "seconds": (time.perf_counter() - start) / TURN,
            "cpu_s": (cpu_seconds() - computed) / TURN,
            "mib": memory_mib(),
        }
        check(side, found, shown, masks)
        return reply

    answer(turn)


def memory_mib() -> float:
    """Of this process and those that it started; what several share is divided among them."""
    own = psutil.Process()
    processes = [own, *own.children(recursive=True)]
    return sum(process.memory_full_info().pss for process in processes) / 2**20


def cpu_seconds() -> float:
    """Computed by this process and those that it started."""
    own = psutil.Process()
    times = [each.cpu_times() for each in (own, *own.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def check(side: str, sizes: Sizes, shown: int, masks: bool) -> None:
    """Every side did the work."""
    expected = ([800, 1066], [800, 1067])  # torchvision rounds down
    assert all(sorted(size) in expected for size in sizes), (side, sizes)
    assert (shown > 5 * TURN) == masks, (side, shown)


if __name__ == "__main__":
    side, folder, learnt, workers = sys.argv[1:]
    serve(side, Path(folder), learnt == "masks", int(workers))
