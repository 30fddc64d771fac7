"""Evaluation, ours and the peers': kernels alone, whole processes, memory.

    python benchmarks/evaluation.py --data DIR --peer-python PYTHON --json FILE
    pytest benchmarks/evaluation.py                 the same cases, small, under pytest-benchmark

Data is synthetic, drawn from fixed seeds and kept in DIR; ``--scale 0.01`` makes it a hundredth as
large. Each competitor has a process of its own, kept to as many processors as it may use threads;
they take turns. Peers that PYTHON cannot import are left out, and named. A row's ``results`` says
how the results compare; rows of memory have ``ours_mib`` and ``peer_mib`` in place of seconds. See
README.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isnan
from pathlib import Path
from typing import Any

import pytest
from evaluation_cases.cases import CASES, Case, difference
from evaluation_cases.datasets import DataFolder
from evaluation_cases.parquet_files import parquet_twins
from evaluation_cases.processes import (
    OURS,
    CompetitorError,
    Job,
    Served,
    Turns,
    results_of,
    served_turns,
    whole_turns,
)
from measuring import interleaved, sides
from measuring.rows import Row
from measuring.script import Script
from measuring.table import Column

from benchsuite.paths import cache_folder

WHOLE = {"json", "files", "parquet", "memory"}
MEASURES = ("kernel", *sorted(WHOLE))


@dataclass(frozen=True)
class Setting:
    """Where things are, and how long they may take."""

    data: DataFolder
    peer_python: Path
    rounds: int
    most_seconds: float

    @classmethod
    def of(cls, options: argparse.Namespace) -> Setting:
        data = DataFolder(options.data, options.scale)
        return cls(data, options.peer_python, options.rounds, options.most_seconds)

    def job(self, case: Case, competitor: str, threads: int) -> Job:
        folder = self.data.dataset(case.dataset)
        truth, predictions = folder / case.truth, folder / case.predictions
        if competitor == "benchsuite-parquet":
            truth, predictions = parquet_twins(truth, predictions, case.shape)
        python = Path(sys.executable) if competitor in OURS else self.peer_python
        return Job(competitor, case.task, truth, predictions, threads, python)


def timed(name: str, ours: Turns, peer: Turns, results: str = "") -> Row:
    samples = {sides.OURS: ours.samples, peer.job.competitor: peer.samples}
    (row,) = interleaved.compare(name, ours.job.threads, samples)
    return replace(row, more={"results": results})


def remembered(name: str, ours: Turns, peer: Turns) -> Row:
    return Row(
        name=name,
        ours_s=None,
        peer=peer.job.competitor,
        peer_s=None,
        ratio=peer.memory / ours.memory,
        threads=ours.job.threads,
        spread=None,
        more={"ours_mib": ours.memory, "peer_mib": peer.memory},
    )


def kernel_rows(name: str, case: Case, threads: int, setting: Setting) -> Iterator[Row]:
    jobs = [
        setting.job(case, competitor, threads) for competitor in ("benchsuite-kernel", *case.peers)
    ]
    (ours, *peers), (mine, *theirs) = served_turns(jobs, setting.rounds, setting.most_seconds)
    if tell_failures([ours, *peers]) and ours.failure:
        return
    for peer, results in zip(peers, theirs):
        if not peer.failure:
            yield timed(f"{name}/kernel", ours, peer, difference(mine, results))


def whole_rows(name: str, case: Case, threads: int, setting: Setting) -> Iterator[Row]:
    own = ["benchsuite", *(["benchsuite-parquet"] if case.parquet else [])]
    jobs = [setting.job(case, competitor, threads) for competitor in (*own, *case.peers)]
    taken = whole_turns(jobs, setting.rounds, setting.most_seconds)
    tell_failures(taken)
    ours, peers = taken[: len(own)], [one for one in taken[len(own) :] if not one.failure]
    compared = {} if case.kernel else compare_results(ours[0], peers)
    for one, measure in zip(ours, ("json" if case.kernel else "files", "parquet")):
        if not one.failure:
            for peer in peers:
                words = compared.get(peer.job.competitor, "")
                yield timed(f"{name}/{measure}", one, peer, words)
    if not ours[0].failure:
        of_one_process = (peer for peer in peers if not isnan(peer.memory))
        yield from (remembered(f"{name}/memory", ours[0], peer) for peer in of_one_process)


def compare_results(ours: Turns, peers: list[Turns]) -> dict[str, str]:
    """How the peers' results compare with ours, where no kernel was measured that would tell."""
    if ours.failure:
        return {}
    found = {one.job.competitor: results_of(one.job) for one in [ours, *peers]}
    mine = found.pop(ours.job.competitor)
    return {competitor: difference(mine, theirs) for competitor, theirs in found.items()}


def tell_failures(taken: list[Turns]) -> bool:
    failed = [one.failure for one in taken if one.failure]
    for failure in failed:
        print(f"left out: {failure}", file=sys.stderr, flush=True)
    return bool(failed)


def rows(name: str, threads: int, options: argparse.Namespace) -> Iterator[Row]:
    """Kernels with every number of threads; whole processes with the largest."""
    setting, case = Setting.of(options), CASES[name].beside(options.peer)
    measures = options.measure or MEASURES
    if case.kernel and "kernel" in measures:
        yield from kernel_rows(name, case, threads, setting)
    if WHOLE & {*measures} and threads == max(options.threads):
        whole = whole_rows(name, case, threads, setting)
        yield from (row for row in whole if row.name.rpartition("/")[2] in measures)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where things are may also be said by the environment, which is how pytest is told."""
    data = Path(os.environ.get("EVALUATION_DATA") or cache_folder() / "benchmarks")
    python = Path(os.environ.get("EVALUATION_PEER_PYTHON") or sys.executable)
    parser.add_argument("--data", type=Path, default=data, help="$EVALUATION_DATA")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the data, 1 is all")
    parser.add_argument("--peer-python", type=Path, default=python, help="$EVALUATION_PEER_PYTHON")
    parser.add_argument(
        "--most-seconds", type=float, default=60, help="no more turns for who spent this long"
    )
    parser.add_argument("--measure", action="append", choices=MEASURES, help="(repeat)")
    parser.add_argument("--peer", action="append", help="beside these alone (repeat)")


SCRIPT = Script(
    __doc__,
    tuple(CASES),
    rows,
    threads=(1, 4),
    rounds=7,
    columns=(
        Column("ours MiB", "ours_mib", ".0f"),
        Column("its MiB", "peer_mib", ".0f"),
        Column("results", "results"),
    ),
    add_options=add_options,
)


# --- the same under pytest-benchmark ----------------------------------------------------------


def pytest_generate_tests(metafunc: Any) -> None:
    pairs = [
        (name, competitor)
        for name, case in CASES.items()
        for competitor in ("benchsuite-kernel" if case.kernel else "benchsuite", *case.peers)
    ]
    metafunc.parametrize(("name", "competitor"), pairs)


def test_evaluation(benchmark: Any, name: str, competitor: str) -> None:
    scale = os.environ.get("EVALUATION_SCALE") or "0.01"
    setting = Setting.of(SCRIPT.parser().parse_args(["--scale", scale]))
    benchmark.group = name
    try:
        served = Served(setting.job(CASES[name], competitor, threads=1))
    except CompetitorError as error:
        pytest.skip(str(error))
    with served:
        benchmark(served.evaluate)


if __name__ == "__main__":
    SCRIPT.main()
