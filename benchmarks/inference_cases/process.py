"""One model in a process of its own.

    python -m inference_cases.process write|serve CASE SIDE FILE

``write`` makes its checkpoint; ``serve`` loads that and sees the image once a turn. Needs Linux,
which tells the most memory that a process has held.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measuring.served_process import ServedProcess, answer, served

from inference_cases.cases import CASES

FOLDER = Path(__file__).resolve().parent.parent


def checkpoint(name: str, side: str, folder: Path) -> Path:
    """The checkpoint of a side, written if it is not there."""
    if CASES[name].same_weights:
        side = "peer"
    elif side == "detectron2":
        side = "ours"
    file = folder / f"{CASES[name].model}-{side}{'.pth' if side == 'peer' else '.pkl'}"
    if not file.exists():
        subprocess.run(_command("write", name, side, file), env=_environment(2), check=True)
    return file


@contextmanager
def serving(name: str, side: str, threads: int, folder: Path) -> Iterator[ServedProcess]:
    """The model, loaded from its checkpoint in the folder."""
    command = _command("serve", name, side, checkpoint(name, side, folder))
    with served(command, _environment(threads)) as process:
        yield process


def _command(task: str, name: str, side: str, file: Path) -> list[str]:
    return [sys.executable, "-m", "inference_cases.process", task, name, side, str(file)]


def _environment(threads: int) -> dict[str, str]:
    paths = (str(FOLDER), os.environ.get("PYTHONPATH", ""))
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "OMP_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",
    }


def _serve(name: str, side: str, file: Path) -> None:
    from inference_cases.models import SIDES, draw_image

    build, run = SIDES[side]
    image = draw_image()
    start = time.perf_counter()
    model = build(CASES[name], file)
    load_s = time.perf_counter() - start

    def turn() -> dict[str, Any]:
        start, cpu = time.perf_counter(), time.process_time()
        boxes, scores = run(model, image)
        return {
            "seconds": time.perf_counter() - start,
            "cpu_s": time.process_time() - cpu,
            "load_s": load_s,
            "peak_mib": _peak_mib(),
            "detections": len(boxes),
            "boxes": boxes.tolist(),
            "scores": scores.tolist(),
        }

    answer(turn)


def _write(name: str, side: str, file: Path) -> None:
    from inference_cases.weights import write_checkpoint

    write_checkpoint(CASES[name], side, file)


def _peak_mib() -> float:
    """The most memory that this process has held so far."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    task, name, side, file = sys.argv[1:]
    {"write": _write, "serve": _serve}[task](name, side, Path(file))
