"""What a run or an evaluation comes back with, and the two ways it is told: JSON and a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.execution import execution_title

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import RenderableType

    from benchsuite.intervals import Interval

TOLERANCE = 0.001
"""A measured value within 0.1 points of the published one is called reproduced, where the recipe
says nothing else."""


REPRODUCED, OUTSIDE = "reproduced", "outside tolerance"
"""The two verdicts on a whole run with a recipe's own weights."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One finished run.

    Attributes:
        run: the row of ``schemas.RUNS``.
        metrics: ``"<prefix>/<value>"`` to number, unscaled, at full precision.
        published: the same names to published numbers, where the recipe has them and its own
            weights were used.
        stages: what ``throughput.summarise`` gives; empty for ``eval``.
        weights: ``{"name", "sha256"}``, the string ``"random"``, or ``None`` for ``eval``.
        kernels: operator to the implementation that served it.
        paths: table to file, and ``"report"`` where a page was drawn.
        slices: ``schemas.STORED_SLICES``, empty or ``None`` where none were asked for.
        intervals: the names of ``metrics`` to confidence intervals, where they were asked for.
    """

    run: Mapping[str, Any]
    metrics: Mapping[str, float]
    published: Mapping[str, float]
    stages: Mapping[str, Mapping[str, float]]
    weights: Mapping[str, str | None] | str | None
    kernels: Mapping[str, str]
    paths: Mapping[str, Path]
    per_class: pa.Table | None = None
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    slices: pa.Table | None = None
    notes: Sequence[str] = field(default_factory=tuple)

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` puts on standard output."""
        return {
            "run_id": self.run["run_id"],
            "result_id": self.run["result_id"],
            "model": self.run["model"],
            "recipe": self.run["recipe"],
            "dataset": self.run["dataset"],
            "split": self.run["split"],
            "n_images": self.run["n_images"],
            "n_predictions": self.run["n_predictions"],
            "n_dropped": self.run["n_dropped"],
            "partial": self.run["partial"],
            "weights": self.weights,
            "metrics": dict(self.metrics),
            "intervals": {name: each.to_json() for name, each in self.intervals.items()},
            "slices": self._nested_slices(),
            "published": dict(self.published),
            "verdict": self.run["verdict"],
            "stages_ms": {k: dict(v) for k, v in self.stages.items() if k != "images_per_second"},
            "images_per_second": self.stages.get("images_per_second", {}).get("value"),
            "overlapped_images_per_second": self.run.get("overlapped_images_per_second"),
            "device": self.run["device"],
            "threads": self.run["threads"],
            "precision": self.run["precision"],
            "compile": self.run.get("compile"),
            "channels_last": self.run.get("channels_last"),
            "cuda_graph": self.run.get("cuda_graph"),
            "batch_size": self.run["batch_size"],
            "seed": self.run["seed"],
            "kernels": dict(self.kernels),
            "evaluators": json.loads(self.run["evaluators"]),
            "warnings": list(self.run["warnings"]),
            "results": str(self.paths["metrics"]),
            "predictions": str(self.paths["predictions"]),
            "report": str(self.paths["report"]) if "report" in self.paths else None,
            "version": self.run["version"],
        }

    def _nested_slices(self) -> dict[str, Any]:
        """Attribute to slice to its number of images and its values."""
        nested: dict[str, Any] = {}
        for row in [] if self.slices is None else self.slices.to_pylist():
            slices = nested.setdefault(row["attribute"], {})
            found = slices.setdefault(row["slice"], {"n_images": row["n_images"], "metrics": {}})
            found["metrics"][row["name"]] = row["value"]
        return nested


def verdict(
    metrics: Mapping[str, float],
    published: Mapping[str, float],
    *,
    tolerance: float = TOLERANCE,
    random: bool,
    partial: bool,
) -> str:
    """What a measured number is worth beside the published one."""
    if random:
        return "random weights"
    if partial:
        return "partial, not comparable"
    shared = [name for name in published if name in metrics]
    if not shared:
        return "no published number"
    agree = all(within(metrics[name], published[name], tolerance) for name in shared)
    return REPRODUCED if agree else OUTSIDE


def within(measured: float, published: float, tolerance: float) -> bool:
    """Whether a measured value may be called the published one."""
    # Published numbers are rounded to a tenth of a point: half of that is nobody's error.
    return abs(measured - published) <= tolerance + 0.0005


def title(run: Mapping[str, Any], dataset_title: str) -> str:
    """``model · dataset · images · device · precision · batch``."""
    parts = [run["recipe"] or run["model"], dataset_title, f"{run['n_images']} images"]
    if run["device"]:
        threads = f", {run['threads']} threads" if run["device"] == "cpu" else ""
        parts += [f"{run['device']}{threads}", execution_title(run), f"batch {run['batch_size']}"]
    return " · ".join(str(part) for part in parts)


def render(outcome: Outcome, dataset_title: str) -> list[RenderableType]:
    """The screen: title, numbers beside published ones, latency, worst classes, where it lies."""
    from rich.text import Text

    shown: list[RenderableType] = [Text(title(outcome.run, dataset_title), style="bold")]
    for warning in outcome.run["warnings"]:
        shown.append(Text(f"! {warning}", style="yellow"))
    shown.extend(_tables(outcome))
    if any(not each.low <= each.value <= each.high for each in outcome.intervals.values()):
        shown.append(
            Text(
                "On few images AP is too high on average. Intervals are corrected for that, and "
                "may lie below the value."
            )
        )
    shown.extend(_slice_table(outcome))
    shown.extend(Text(line) for line in _latency(outcome))
    if worst := _worst_classes(outcome.per_class):
        shown.append(Text(f"worst classes  {worst}"))
    if outcome.kernels:
        used = ", ".join(f"{name} {how}" for name, how in outcome.kernels.items())
        shown.append(Text(f"kernels        {used}"))
    shown.append(Text(f"verdict        {outcome.run['verdict']}"))
    shown.append(Text(f"results        {outcome.paths['metrics']}"))
    shown.append(Text(f"predictions    {outcome.paths['predictions']}"))
    if "report" in outcome.paths:
        shown.append(Text(f"report         {outcome.paths['report']}"))
    if outcome.run["command"]:
        shown.append(Text(f"repeat         {outcome.run['command']}"))
    return shown


def _tables(outcome: Outcome) -> list[RenderableType]:
    """Tasks that are scored by the same values share a table, one row a task."""
    from rich.markup import escape
    from rich.table import Table

    by_prefix: dict[str, dict[str, float]] = {}
    for name, value in outcome.metrics.items():
        prefix, _, short = name.partition("/")
        by_prefix.setdefault(prefix, {})[short] = value
    by_names: dict[tuple[str, ...], list[str]] = {}
    for prefix, values in by_prefix.items():
        by_names.setdefault(tuple(values), []).append(prefix)
    tables: list[RenderableType] = []
    for names, prefixes in by_names.items():
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("")
        for name in names:
            table.add_column(escape(name), justify="right")
        for prefix in prefixes:
            values = by_prefix[prefix]
            published = [outcome.published.get(f"{prefix}/{name}") for name in names]
            table.add_row(escape(prefix), *(_points(values[name]) for name in names))
            intervals = [outcome.intervals.get(f"{prefix}/{name}") for name in names]
            if level := next((each.level for each in intervals if each), None):
                table.add_row(f"  {100 * level:g}% CI", *map(_interval, intervals))
            if any(each is not None for each in published):
                table.add_row("  published", *("" if p is None else _points(p) for p in published))
                table.add_row(
                    "  difference",
                    *(
                        "" if p is None else f"{100 * (values[name] - p):+.2f}"
                        for name, p in zip(names, published)
                    ),
                )
        tables.append(table)
    return tables


def _points(value: float) -> str:
    """A fraction as points with two decimals; -1 means that there was nothing to measure."""
    return "–" if value == -1 or value != value else f"{100 * value:.2f}"


def _slice_table(outcome: Outcome) -> list[RenderableType]:
    """The first value of every metric on each slice."""
    from rich.markup import escape
    from rich.table import Table

    if outcome.slices is None or not outcome.slices.num_rows:
        return []
    rows = outcome.slices.to_pylist()
    primary: dict[str, str] = {}
    for row in rows:
        primary.setdefault(row["task"], row["name"])
    shown: dict[tuple[str, str, int], dict[str, float]] = {}
    for row in rows:
        if row["name"] == primary[row["task"]]:
            key = (row["attribute"], row["slice"], row["n_images"])
            shown.setdefault(key, {})[row["name"]] = row["value"]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("slice", "", "images", *primary.values()):
        table.add_column(escape(heading), justify="left" if heading in ("slice", "") else "right")
    for (attribute, value, images), values in shown.items():
        numbers = (_points(values[name]) for name in primary.values())
        table.add_row(escape(attribute), escape(value), str(images), *numbers)
    return [table]


def _interval(interval: Interval | None) -> str:
    """Two ends, one above the other, so that a column stays narrow."""
    return "" if interval is None else f"{_points(interval.low)}\n{_points(interval.high)}"


def _latency(outcome: Outcome) -> list[str]:
    stages = outcome.stages
    if not stages:
        return []
    short = {"load": "load", "preprocess": "pre", "model": "model", "postprocess": "post"}
    parts = [
        f"{short[stage]} {stages[stage]['p50']:.1f} p50, {stages[stage]['p95']:.1f} p95"
        for stage in short
        if stage in stages
    ]
    rate = stages["images_per_second"]["value"]
    warmup = outcome.run["warmup"]
    conditions = f"{warmup} warm-up batches, synchronised, {outcome.run['threads']} threads"
    lines = [
        f"latency ms     {' · '.join(parts)}",
        f"throughput     {rate:.2f} img/s without loading ({conditions})",
    ]
    if overlapped := outcome.run.get("overlapped_images_per_second"):
        lines.append(f"               {overlapped:.2f} img/s in all, stages overlapped")
    return lines


def _worst_classes(per_class: pa.Table | None, count: int = 5) -> str:
    if per_class is None or per_class.num_rows == 0:
        return ""
    first_task = per_class["task"][0].as_py()
    rows = [
        (row["value"], row["category"])
        for row in per_class.select(["task", "metric", "value", "category"]).to_pylist()
        if row["task"] == first_task and row["metric"] == "AP" and row["value"] is not None
    ]
    worst = sorted(rows)[:count]
    return ", ".join(f"{name} {100 * value:.1f}" for value, name in worst)
