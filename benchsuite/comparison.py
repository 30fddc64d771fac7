"""Two results held against each other: the same images, the same protocol, paired.

Both were scored on the same images, so what makes an image hard for one makes it hard for the
other: the difference of the two is known far better than either number. Releases are gated on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.errors import InputError, UsageError
from benchsuite.execution import execution_title
from benchsuite.metric_selection import ResolvedMetric, make_metric
from benchsuite.plugins import registry
from benchsuite.recording import matches_table
from benchsuite.store.results_store import Store

if TYPE_CHECKING:
    from benchsuite.intervals import Difference

_SAME = {
    "dataset": "dataset",
    "split": "split",
    "annotation_sha256": "annotations",
    "images_sha256": "list of images",
}
"""Columns of ``runs`` that two results must share, and what messages call them."""


@dataclass(frozen=True, slots=True)
class ComparedValue:
    """One number of both results.

    Attributes:
        name: with its prefix, ``"bbox/AP"``.
        primary, higher_is_better: as the metric's spec says.
        paired: both numbers, and the second less the first.
    """

    name: str
    primary: bool
    higher_is_better: bool
    paired: Difference

    @property
    def worse(self) -> bool:
        """Whether the second is worse by more than chance: the whole interval says so."""
        if self.higher_is_better:
            return self.paired.high < 0
        return self.paired.low > 0


@dataclass(frozen=True, slots=True)
class ComparedRuns:
    """Two runs and the values that both have.

    Attributes:
        first, second: rows of ``schemas.RUNS``.
    """

    first: Mapping[str, Any]
    second: Mapping[str, Any]
    values: Sequence[ComparedValue]

    @property
    def worse(self) -> list[ComparedValue]:
        """Primary values in which the second is worse by more than chance."""
        return [value for value in self.values if value.primary and value.worse]

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` puts on standard output."""
        return {
            "first": _named(self.first),
            "second": _named(self.second),
            "dataset": self.first["dataset"],
            "split": self.first["split"],
            "values": {
                value.name: {
                    **value.paired.to_json(),
                    "name": value.name,
                    "worse": value.worse,
                }
                for value in self.values
            },
            "worse": [value.name for value in self.worse],
        }


def _named(run: Mapping[str, Any]) -> dict[str, Any]:
    names = ("run_id", "result_id", "model")
    return {**{name: run[name] for name in names}, "execution": execution_title(run)}


def compare_runs(
    store: Store, first: str, second: str, *, replicates: int = 1000, seed: int = 0
) -> ComparedRuns:
    """Compare two stored results.

    Args:
        first, second: run ids, or beginnings of one that fit no other.

    Raises:
        UsageError: no such run, or several.
        InputError: the two were not scored on the same images, by the same protocol, or their
            matches were not stored.
    """
    ids = [store.find_run(given) for given in (first, second)]
    rows = [store.read("runs", [run_id]).to_pylist()[0] for run_id in ids]
    for column, what in _SAME.items():
        if rows[0][column] != rows[1][column]:
            raise InputError(
                f"the two runs differ in their {what}: {rows[0][column]} and {rows[1][column]}",
                remedy="Only results on the same images can be compared",
            )
    images = [
        store.read("prediction_images", [run_id], columns=["image_id"])["image_id"].to_numpy()
        for run_id in ids
    ]
    if sorted(images[0].tolist()) != sorted(images[1].tolist()):
        raise InputError(
            f"the two runs were scored on different images ({len(images[0])} and {len(images[1])})",
            remedy="Give both the same --limit",
        )
    values: list[ComparedValue] = []
    for metric in _shared_metrics(store, ids):
        values += _compared(store, ids, metric, images[0], replicates, seed)
    return ComparedRuns(rows[0], rows[1], values)


def _shared_metrics(store: Store, ids: Sequence[str]) -> list[ResolvedMetric]:
    """The metrics whose matches both runs have."""
    of_runs = [
        {name for name in registry().metrics if _has(store, matches_table(name), run_id)}
        for run_id in ids
    ]
    shared = [name for name in registry().metrics if name in of_runs[0] & of_runs[1]]
    if not shared:
        raise InputError(
            "the two runs have no metric in common whose matches were stored",
            remedy="Score both by the same metric (and not with --scorer official)",
        )
    return [make_metric(registry().metrics[name]) for name in shared]


def _has(store: Store, table: str, run_id: str) -> bool:
    try:
        store.path(table, run_id)
    except UsageError:
        return False
    return True


def _compared(
    store: Store,
    ids: Sequence[str],
    metric: ResolvedMetric,
    images: NDArray[np.int64],
    replicates: int,
    seed: int,
) -> list[ComparedValue]:
    from benchsuite.intervals import compare

    spec = metric.spec
    first, second = (_matches(store, matches_table(spec.name), run_id) for run_id in ids)
    found = compare(metric.metric, first, second, images, replicates=replicates, seed=seed)
    return [
        ComparedValue(
            name=f"{spec.value_prefix}/{name}",
            primary=name == spec.primary,
            higher_is_better=spec.higher_is_better,
            paired=paired,
        )
        for name, paired in found.items()
    ]


def _matches(store: Store, table: str, run_id: str) -> pa.Table:
    import pyarrow.parquet as pq

    path: Path = store.path(table, run_id)
    return pq.read_table(path)
