"""Competitors in processes of their own: equal threads, interleaved turns, memory told."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO, Any

import numpy as np
from measuring.interleaved import take_turns
from measuring.sides import Sample, Side

SCRIPT = Path(__file__).with_name("competitors.py")
REPOSITORY = SCRIPT.resolve().parent.parent.parent
OURS = ("benchsuite", "benchsuite-parquet", "benchsuite-kernel", "drop-in")
"""Names of competitors that are ours, and run under this Python."""

THREAD_VARIABLES = (
    "THREADS",
    "BENCHSUITE_THREADS",
    "RAYON_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
)


class CompetitorError(Exception):
    """A competitor cannot do a task."""


@dataclass(frozen=True)
class Job:
    """What a competitor shall evaluate.

    Attributes:
        competitor, task: as ``competitors.py`` takes them.
        truth, predictions: paths.
        threads: how many it may use; it is kept to as many processors.
        python: the interpreter it runs under.
    """

    competitor: str
    task: str
    truth: Path
    predictions: Path
    threads: int
    python: Path

    def start(self, how: str, errors: IO[str]) -> subprocess.Popen[str]:
        """The process, waiting for input where it serves; ``errors`` gets all else it says."""
        environment = dict(os.environ)
        environment |= dict.fromkeys(THREAD_VARIABLES, str(self.threads))
        if self.competitor in OURS:
            folders = [REPOSITORY, *(REPOSITORY / name for name in ("kernels", "plugins", "zoo"))]
            environment["PYTHONPATH"] = os.pathsep.join(map(str, folders))
        else:
            environment.pop("PYTHONPATH", None)
        # Peers were compiled when they were installed: what runs from its sources may be kept, too.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        processors = sorted(os.sched_getaffinity(0))[: self.threads]
        return subprocess.Popen(
            [
                *(str(self.python), "-P", str(SCRIPT), self.competitor, self.task),
                *(str(self.truth), str(self.predictions), how),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
            preexec_fn=lambda: os.sched_setaffinity(0, processors),
        )


def _failure(job: Job, process: subprocess.Popen[str], errors: IO[str]) -> CompetitorError:
    code = process.wait()
    errors.seek(0)
    last = errors.read().strip().splitlines()[-1:] or [f"exit code {code}"]
    return CompetitorError(f"{job.competitor} on {job.task}: {last[0]}")


# --- whole processes --------------------------------------------------------------------------


@dataclass(frozen=True)
class WholeRun:
    """A process from its start to its end.

    Attributes:
        seconds: of wall time.
        memory_mib: the most memory it held, above what it held after its imports.
    """

    seconds: float
    memory_mib: float


def run_whole(job: Job) -> WholeRun:
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = job.start("once", errors)
        out, _ = process.communicate()
        spent = time.perf_counter() - start
        if process.returncode or not out:
            raise _failure(job, process, errors)
    return WholeRun(spent, json.loads(out)["memory_mib"])


# --- evaluations in a process that has loaded its data ------------------------------------------


class Served:
    """A process that has loaded its data and evaluates when asked; a context manager."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by close())
        self._process = job.start("serve", self._errors)
        self.load_s = float(self._read()["load_s"])

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise _failure(self._job, self._process, self._errors)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _ask(self, line: str) -> float:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return float(self._read()["seconds"])

    def evaluate(self) -> float:
        """Seconds of one evaluation."""
        return self._ask("")

    def side(self) -> Side:
        return Side(self.evaluate, lambda: Sample(self.evaluate()))

    def results(self) -> Mapping[str, np.ndarray]:
        """What an evaluation comes back with."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "results.npz"
            self._ask(str(path))
            with np.load(path) as stored:
                return dict(stored)

    def close(self) -> None:
        self._process.communicate()
        self._errors.close()

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def results_of(job: Job) -> Mapping[str, np.ndarray]:
    """What one evaluation comes back with."""
    with Served(job) as served:
        return served.results()


# --- turns ------------------------------------------------------------------------------------


@dataclass
class Turns:
    """One competitor's samples, and what kept it from more."""

    job: Job
    samples: list[Sample]
    failure: str = ""

    @property
    def memory(self) -> float:
        """The median of what its processes held, MiB."""
        return median(sample.more["mib"] for sample in self.samples)


def whole_turns(jobs: list[Job], rounds: int, most_seconds: float) -> list[Turns]:
    """Fresh processes, in turns; none is started again that has spent ``most_seconds`` in all."""
    taken = [Turns(job, []) for job in jobs]
    for turn in range(rounds):
        for one in taken if turn % 2 else reversed(taken):
            if one.failure or sum(sample.seconds for sample in one.samples) >= most_seconds:
                continue
            try:
                run = run_whole(one.job)
            except CompetitorError as error:
                one.failure = str(error)
            else:
                one.samples.append(Sample(run.seconds, {"mib": run.memory_mib}))
    return taken


def served_turns(
    jobs: list[Job], rounds: int, most_seconds: float
) -> tuple[list[Turns], list[Mapping[str, np.ndarray]]]:
    """Evaluations of loaded data, in turns, and each competitor's results (empty if it failed)."""
    taken = [Turns(job, []) for job in jobs]
    results: list[Mapping[str, np.ndarray]] = [{} for _ in jobs]
    sides: dict[str, Side] = {}
    with ExitStack() as stack:
        for place, one in enumerate(taken):
            try:
                process = stack.enter_context(Served(one.job))
                results[place] = process.results()  # which warms up, too
            except CompetitorError as error:
                one.failure = str(error)
            else:
                sides[one.job.competitor] = process.side()
        samples = take_turns(sides, rounds, most_seconds)
    for one in taken:
        one.samples = samples.get(one.job.competitor, [])
    return taken, results
