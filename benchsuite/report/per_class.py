"""Values of each category: of one run as a table, of many runs side by side as a heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from benchsuite.report.notation import measurable, scale_of
from benchsuite.report.palette import HEAT_STEPS


@dataclass(frozen=True, slots=True)
class ClassTable:
    """One run's values of each category, the worst category first, those without truth last.

    Attributes:
        metrics: the values' names, the board's own first.
        scale: 100 where values are written as points.
        rows: a category and its values, in step with ``metrics``.
    """

    metrics: Sequence[str]
    scale: int
    rows: Sequence[tuple[str, Sequence[float | None]]]

    @property
    def measured(self) -> int:
        return sum(values[0] is not None for _, values in self.rows)


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Values of each category (rows) for each run (columns), hardest category first.

    Attributes:
        metric: what is shown.
        scale: 100 where values are written as points.
        rows: a category, its values, and their step of the colour scale (0 to 9).
    """

    metric: str
    scale: int
    rows: Sequence[tuple[str, Sequence[tuple[float | None, int]]]]


def class_table(per_class: pa.Table, task: str, primary: str) -> ClassTable | None:
    """A run's table, or ``None`` where nothing was stored for the task."""
    values = _values(per_class, task)
    if not values:
        return None
    metrics = list(dict.fromkeys(metric for _, _, metric in values))
    metrics.sort(key=lambda metric: metric != primary)
    categories = _categories(values)
    rows = [
        (name, [values.get((key, name, metric)) for metric in metrics]) for key, name in categories
    ]
    rows.sort(key=lambda row: (row[1][0] is None, row[1][0] or 0.0, row[0]))
    return ClassTable(metrics, scale_of(values.values()), rows)


def heat_map(tables: Sequence[pa.Table], task: str, primary: str) -> HeatMap | None:
    """A heat map of some runs' tables, or ``None`` where none holds the value.

    The metric shown is the board's own where the runs have it by category, else the first.
    """
    columns = [_values(table, task) for table in tables]
    metrics = list(dict.fromkeys(metric for column in columns for _, _, metric in column))
    if not metrics:
        return None
    metric = primary if primary in metrics else metrics[0]
    shown = [
        {(key, name): value for (key, name, each), value in column.items() if each == metric}
        for column in columns
    ]
    categories = list(dict.fromkeys(category for column in shown for category in column))
    known = [v for column in shown for v in column.values() if v is not None]
    scale = scale_of(known)
    low, high = (0.0, 1.0) if scale == 100 else (min(known, default=0.0), max(known, default=1.0))
    rows = []
    for category in categories:
        values = [column.get(category) for column in shown]
        rows.append((category[1], [(value, _step(value, low, high)) for value in values]))
    rows.sort(key=lambda row: _mean([value for value, _ in row[1]]))
    return HeatMap(metric, scale, rows)


def _values(per_class: pa.Table, task: str) -> dict[tuple[int, str, str], float | None]:
    chosen = per_class.filter(pc.equal(per_class["task"], pa.scalar(task)))
    return {
        (key, name, metric): measurable(value)
        for key, name, metric, value in zip(
            *(chosen[c].to_pylist() for c in ("category_id", "category", "metric", "value"))
        )
    }


def _categories(values: Mapping[tuple[int, str, str], float | None]) -> list[tuple[int, str]]:
    return list(dict.fromkeys((key, name) for key, name, _ in values))


def _step(value: float | None, low: float, high: float) -> int:
    if value is None or high <= low:
        return 0
    return min(HEAT_STEPS - 1, max(0, int(HEAT_STEPS * (value - low) / (high - low))))


def _mean(values: Sequence[float | None]) -> tuple[bool, float]:
    known = [value for value in values if value is not None]
    return (not known, sum(known) / len(known) if known else 0.0)
