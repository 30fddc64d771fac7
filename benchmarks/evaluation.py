"""Evaluation, ours and the peers': kernels alone, whole processes, memory.

    python benchmarks/evaluation.py --data DIR --peer-python PYTHON --json FILE
    pytest benchmarks/evaluation.py                 the same cases, small, under pytest-benchmark

Data is synthetic, drawn from fixed seeds and kept in DIR; ``--scale 0.01`` makes it a hundredth as
large. Each competitor has a process of its own, kept to as many processors as it may use threads;
they take turns. Peers that PYTHON cannot import are left out, and named. See README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import isnan
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pytest
from evaluation_cases.cases import CASES, Case, difference
from evaluation_cases.datasets import DataFolder
from evaluation_cases.parquet_files import parquet_twins
from evaluation_cases.processes import (
    OURS,
    CompetitorError,
    Job,
    Samples,
    Served,
    results_of,
    served_turns,
    whole_turns,
)

from benchsuite.environment import cpu_name, load_average
from benchsuite.paths import cache_folder
from benchsuite_kernels import implementations

WHOLE = {"json", "files", "parquet", "memory"}
MEASURES = ("kernel", *sorted(WHOLE))


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: case/measure.
        ours_s, peer_s: medians in seconds; of memory, ``None``.
        peer: what it is compared with.
        ratio: the peer's time (or memory) over ours.
        threads: that both may use.
        spread: the wider of the two interquartile ranges, over its median.
        ours_mib, peer_mib: of memory, the medians of what each held above its imports.
        difference: of kernels, how the results compare.
    """

    name: str
    ours_s: float | None
    peer: str
    peer_s: float | None
    ratio: float | None
    threads: int
    spread: float | None
    ours_mib: float | None = None
    peer_mib: float | None = None
    difference: str = ""


@dataclass(frozen=True)
class Setting:
    """Where things are, and how long they may take."""

    data: DataFolder
    peer_python: Path
    rounds: int
    most_seconds: float

    def job(self, case: Case, competitor: str, threads: int) -> Job:
        folder = self.data.dataset(case.dataset)
        truth, predictions = folder / case.truth, folder / case.predictions
        if competitor == "benchsuite-parquet":
            truth, predictions = parquet_twins(truth, predictions, case.shape)
        python = Path(sys.executable) if competitor in OURS else self.peer_python
        return Job(competitor, case.task, truth, predictions, threads, python)


def timed(name: str, ours: Samples, peer: Samples, difference: str = "") -> Row:
    return Row(
        name=name,
        ours_s=ours.median,
        peer=peer.job.competitor,
        peer_s=peer.median,
        ratio=peer.median / ours.median,
        threads=ours.job.threads,
        spread=max(ours.spread, peer.spread),
        difference=difference,
    )


def remembered(name: str, ours: Samples, peer: Samples) -> Row:
    mine, theirs = ours.memory, peer.memory
    return Row(
        name=name,
        ours_s=None,
        peer=peer.job.competitor,
        peer_s=None,
        ratio=theirs / mine,
        threads=ours.job.threads,
        spread=None,
        ours_mib=mine,
        peer_mib=theirs,
    )


def kernel_rows(name: str, case: Case, setting: Setting) -> Iterator[Row]:
    for threads in case.threads:
        jobs = [
            setting.job(case, competitor, threads)
            for competitor in ("benchsuite-kernel", *case.peers)
        ]
        (ours, *peers), (mine, *theirs) = served_turns(jobs, setting.rounds, setting.most_seconds)
        if tell_failures([ours, *peers]) and ours.failure:
            return
        for peer, results in zip(peers, theirs):
            if not peer.failure:
                yield timed(f"{name}/kernel", ours, peer, difference(mine, results))


def whole_rows(name: str, case: Case, setting: Setting) -> Iterator[Row]:
    threads = max(case.threads)
    own = ["benchsuite", *(["benchsuite-parquet"] if case.parquet else [])]
    jobs = [setting.job(case, competitor, threads) for competitor in (*own, *case.peers)]
    taken = whole_turns(jobs, setting.rounds, setting.most_seconds)
    tell_failures(taken)
    ours, peers = taken[: len(own)], [one for one in taken[len(own) :] if not one.failure]
    compared = {} if case.kernel else compare(ours[0], peers)
    for one, measure in zip(ours, ("json" if case.kernel else "files", "parquet")):
        if not one.failure:
            for peer in peers:
                words = compared.get(peer.job.competitor, "")
                yield timed(f"{name}/{measure}", one, peer, words)
    if not ours[0].failure:
        of_one_process = (peer for peer in peers if not isnan(peer.memory))
        yield from (remembered(f"{name}/memory", ours[0], peer) for peer in of_one_process)


def compare(ours: Samples, peers: list[Samples]) -> dict[str, str]:
    """How the peers' results compare with ours, where no kernel was measured that would tell."""
    if ours.failure:
        return {}
    found = {one.job.competitor: results_of(one.job) for one in [ours, *peers]}
    mine = found.pop(ours.job.competitor)
    return {competitor: difference(mine, theirs) for competitor, theirs in found.items()}


def tell_failures(taken: list[Samples]) -> bool:
    failed = [one.failure for one in taken if one.failure]
    for failure in failed:
        print(f"left out: {failure}", file=sys.stderr, flush=True)
    return bool(failed)


def measured(
    cases: Mapping[str, Case], measures: tuple[str, ...], setting: Setting
) -> Iterator[Row]:
    for name, case in cases.items():
        if case.kernel and "kernel" in measures:
            yield from kernel_rows(name, case, setting)
        if WHOLE & {*measures}:
            rows = whole_rows(name, case, setting)
            yield from (row for row in rows if row.name.rpartition("/")[2] in measures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="write the rows into this file")
    parser.add_argument("--data", type=Path, default=cache_folder() / "benchmarks")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the data, 1 is all")
    parser.add_argument("--peer-python", type=Path, default=Path(sys.executable))
    parser.add_argument("--rounds", type=int, default=7, help="samples a competitor")
    parser.add_argument(
        "--most-seconds", type=float, default=60, help="no more turns for who spent this long"
    )
    parser.add_argument("--only", action="append", choices=CASES, help="cases (repeat)")
    parser.add_argument("--measure", action="append", choices=MEASURES, help="(repeat)")
    parser.add_argument("--peer", action="append", help="beside these alone (repeat)")
    options = parser.parse_args()
    setting = Setting(
        DataFolder(options.data, options.scale),
        options.peer_python,
        options.rounds,
        options.most_seconds,
    )
    serving = ", ".join(sorted(set(implementations().values())))
    print(f"{cpu_name()}, load {load_average()}, kernels: {serving}, scale {options.scale:g}\n")
    print("| case | threads | ours | peer | its | ratio | spread | results |")
    print("|---|---|---|---|---|---|---|---|")
    rows = []
    cases = {name: CASES[name].beside(options.peer) for name in options.only or CASES}
    for row in measured(cases, tuple(options.measure or MEASURES), setting):
        rows.append(row)
        print(line(row), flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def line(row: Row) -> str:
    if row.ours_mib is not None:
        ours, theirs = f"{row.ours_mib:.0f} MiB", f"{row.peer_mib:.0f} MiB"
    else:
        ours, theirs = f"{row.ours_s:.4f} s", f"{row.peer_s:.4f} s"
    spread = "" if row.spread is None else f"{row.spread:.0%}"
    return (
        f"| `{row.name}` | {row.threads} | {ours} | {row.peer} | {theirs} | {row.ratio:.2f} "
        f"| {spread} | {row.difference} |"
    )


# --- the same under pytest-benchmark ----------------------------------------------------------


def small_setting() -> Setting:
    """By ``$EVALUATION_DATA``, ``$EVALUATION_SCALE`` and ``$EVALUATION_PEER_PYTHON``."""
    folder = Path(os.environ.get("EVALUATION_DATA") or cache_folder() / "benchmarks")
    scale = float(os.environ.get("EVALUATION_SCALE") or 0.01)
    python = Path(os.environ.get("EVALUATION_PEER_PYTHON") or sys.executable)
    return Setting(DataFolder(folder, scale), python, rounds=1, most_seconds=60)


def pytest_generate_tests(metafunc: Any) -> None:
    pairs = [
        (name, competitor)
        for name, case in CASES.items()
        for competitor in ("benchsuite-kernel" if case.kernel else "benchsuite", *case.peers)
    ]
    metafunc.parametrize(("name", "competitor"), pairs)


def test_evaluation(benchmark: Any, name: str, competitor: str) -> None:
    setting, case = small_setting(), CASES[name]
    benchmark.group = name
    try:
        served = Served(setting.job(case, competitor, threads=1))
    except CompetitorError as error:
        pytest.skip(str(error))
    with served:
        benchmark(served.evaluate)


if __name__ == "__main__":
    main()
