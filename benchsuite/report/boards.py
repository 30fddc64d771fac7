"""Which results stand on which leaderboard, in which order, and which stand apart.

A board holds the results of one metric on one dataset's split with one and the same truth. A
result stands on it once, however often it was run; the latest run speaks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pyarrow as pa

from benchsuite.report.naming import Run, dataset_title, evaluator_of, task_title
from benchsuite.report.notation import count, measurable, scale_of
from benchsuite.results import verdict
from benchsuite.specs import TASKS

Latency = Mapping[str, Mapping[str, float]]
"""What ``throughput.summarise`` gives; empty for a run without samples."""


@dataclass(frozen=True, slots=True)
class BoardKey:
    """What results must share to be held against each other.

    Attributes:
        prefix: what the metric's values are called after (``bbox`` in ``bbox/AP``).
        dataset, split: as the runs name them.
        annotation_sha256: the truth they were scored against.
    """

    prefix: str
    dataset: str
    split: str
    annotation_sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One result on a board.

    Attributes:
        run: the row of ``schemas.RUNS`` of the latest run with this result.
        evaluator: implementation and version that computed the values.
        values: value name (``AP``) to number, unscaled; ``None``: nothing to measure.
        published: the same for what the model's publisher claims.
        primary: the value that the board is sorted by.
        latency: stage times of the run.
        apart: why it is not ranked; empty where it is.
        rank: from 1; equal values share a rank; ``None`` where it stands apart.
    """

    run: Run
    evaluator: str
    values: Mapping[str, float | None]
    published: Mapping[str, float | None]
    primary: float | None
    latency: Latency = field(default_factory=dict)
    apart: str = ""
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """One leaderboard.

    Attributes:
        key: what its results share.
        task, metric: the task and the metric plugin.
        primary: the name of the value it is sorted by.
        value_names: all values of the metric, the primary one first.
        higher_is_better: the direction.
        scale: 100 where values are written as points, else 1.
        ranked: best first.
        apart: partial runs, random weights, and results with nothing to measure; latest first.
        everywhere: the latest run of every rankable result on every device, for the times.
        since: when the first of all its runs was made.
    """

    key: BoardKey
    task: str
    metric: str
    primary: str
    value_names: tuple[str, ...]
    higher_is_better: bool
    scale: int
    ranked: tuple[Entry, ...]
    apart: tuple[Entry, ...]
    everywhere: tuple[Entry, ...]
    since: datetime

    @property
    def dataset(self) -> str:
        return dataset_title({"dataset": self.key.dataset, "split": self.key.split})

    @property
    def title(self) -> str:
        named = "" if self.key.prefix == self.task else f" ({self.key.prefix})"
        return f"{task_title(self.task)}{named} on {self.dataset}"

    @property
    def entries(self) -> tuple[Entry, ...]:
        return (*self.ranked, *self.apart)

    @property
    def evaluators(self) -> list[str]:
        return sorted({entry.evaluator for entry in self.entries if entry.evaluator})


def make_boards(
    runs: Sequence[Run], metrics: pa.Table, latencies: Mapping[str, Latency]
) -> list[Board]:
    """All boards that a store's results make, by task, dataset and split.

    Args:
        runs: rows of ``schemas.RUNS``.
        metrics: ``schemas.METRICS``.
        latencies: run id to stage times.
    """
    by_id = {run["run_id"]: run for run in runs}
    rows: dict[BoardKey, dict[str, list[Mapping[str, object]]]] = {}
    for row in metrics.to_pylist():
        run = by_id.get(row["run_id"])
        if run is None:
            continue
        key = BoardKey(
            _prefix(row["name"], row["task"]),
            run["dataset"],
            run["split"],
            run["annotation_sha256"],
        )
        rows.setdefault(key, {}).setdefault(row["run_id"], []).append(row)
    boards = [_board(key, rows_of_runs, by_id, latencies) for key, rows_of_runs in rows.items()]
    tasks = list(TASKS)
    return sorted(
        boards,
        key=lambda b: (
            tasks.index(b.task) if b.task in tasks else len(tasks),
            b.key.prefix,
            b.key.dataset,
            b.key.split,
            b.key.annotation_sha256,
        ),
    )


def why_apart(run: Run) -> str:
    """Why a run's numbers are not to be compared with others; empty where they are."""
    if run["weights_random"]:
        return "random weights"
    if run["partial"]:
        return f"partial: {count(run['n_images'])} of {count(run['n_dataset_images'])} images"
    return ""


def verification(board: Board, entry: Entry) -> str:
    """What the measured value says of the published one, of the board's value alone."""
    if entry.primary is None:
        return ""
    claim = entry.published.get(board.primary)
    return verdict(
        {board.primary: entry.primary},
        {} if claim is None else {board.primary: claim},
        random=bool(entry.run["weights_random"]),
        partial=bool(entry.run["partial"]),
    )


def _board(
    key: BoardKey,
    rows_of_runs: Mapping[str, Sequence[Mapping[str, object]]],
    by_id: Mapping[str, Run],
    latencies: Mapping[str, Latency],
) -> Board:
    everything = [row for rows in rows_of_runs.values() for row in rows]
    names = list(dict.fromkeys(_value_name(row) for row in everything))
    primary = next((_value_name(row) for row in everything if row["primary"]), names[0])
    names.sort(key=lambda name: name != primary)
    entries = [
        _entry(by_id[run_id], rows, primary, latencies.get(run_id, {}))
        for run_id, rows in rows_of_runs.items()
    ]
    entries.sort(key=lambda entry: (entry.run["created"], entry.run["run_id"]), reverse=True)
    higher = bool(everything[0]["higher_is_better"])
    latest = _first_of_each(entries, lambda entry: entry.run["result_id"])
    return Board(
        key=key,
        task=str(everything[0]["task"]),
        metric=str(everything[0]["metric"]),
        primary=primary,
        value_names=tuple(names),
        higher_is_better=higher,
        scale=scale_of(measurable(row["value"]) for row in everything),
        ranked=_ranked([entry for entry in latest if not entry.apart], higher),
        apart=tuple(entry for entry in latest if entry.apart),
        everywhere=tuple(
            _first_of_each(
                [entry for entry in entries if not entry.apart],
                lambda entry: (
                    entry.run["result_id"],
                    entry.run["device"],
                    entry.run["device_name"],
                    entry.run["threads"],
                ),
            )
        ),
        since=entries[-1].run["created"],
    )


def _entry(run: Run, rows: Sequence[Mapping[str, object]], primary: str, latency: Latency) -> Entry:
    values = {_value_name(row): measurable(row["value"]) for row in rows}
    primary_value = values.get(primary)
    return Entry(
        run=run,
        evaluator=evaluator_of(run, str(rows[0]["metric"])),
        values=values,
        published={_value_name(row): measurable(row["published"]) for row in rows},
        primary=primary_value,
        latency=latency,
        apart=why_apart(run) or ("" if primary_value is not None else f"no {primary} to measure"),
    )


def _ranked(entries: Sequence[Entry], higher_is_better: bool) -> tuple[Entry, ...]:
    def standing(entry: Entry) -> tuple[float, str, str]:
        number = entry.primary or 0.0
        return (-number if higher_is_better else number, entry.run["model"], entry.run["result_id"])

    ranked: list[Entry] = []
    for place, entry in enumerate(sorted(entries, key=standing), start=1):
        tied = bool(ranked) and ranked[-1].primary == entry.primary
        ranked.append(replace(entry, rank=ranked[-1].rank if tied else place))
    return tuple(ranked)


def _first_of_each(entries: Iterable[Entry], identity: Callable[[Entry], Hashable]) -> list[Entry]:
    seen: set[Hashable] = set()
    first = []
    for entry in entries:
        key = identity(entry)
        if key not in seen:
            seen.add(key)
            first.append(entry)
    return first


def _prefix(name: str, task: str) -> str:
    prefix, slash, _ = name.partition("/")
    return prefix if slash else task


def _value_name(row: Mapping[str, object]) -> str:
    return str(row["name"]).partition("/")[2] or str(row["name"])
