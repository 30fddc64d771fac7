"""The page of one run: what was measured, what was claimed, how long it took, and of what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import pyarrow as pa
from markupsafe import Markup
from numpy.typing import NDArray

from benchsuite.report import notation
from benchsuite.report.latency import histogram, latencies, stretches
from benchsuite.report.latency_chart import latency_along_run
from benchsuite.report.naming import (
    TASK_NOUNS,
    Run,
    dataset_title,
    run_name,
    run_title,
    task_title,
)
from benchsuite.report.notation import measurable, scale_of
from benchsuite.report.pages import render
from benchsuite.report.palette import MEAN_LINE, LineStyle, line_style
from benchsuite.report.per_class import ClassTable, class_table
from benchsuite.report.precision_recall import mean_curves
from benchsuite.report.precision_recall_chart import precision_recall
from benchsuite.report.provenance import environment_facts, provenance
from benchsuite.results import verdict
from benchsuite.throughput import STAGES, summarise

_ENOUGH_FOR_HISTOGRAM = 20

_STAGE_TITLES = {
    "load": ("Load", "read and decode; not part of the latency"),
    "preprocess": ("Pre-processing", "resize, normalise, pad, move to the device"),
    "model": ("Model", "the network, up to raw outputs"),
    "postprocess": ("Post-processing", "up to predictions in host memory, masks encoded"),
    "latency": ("Latency", "pre-processing to post-processing"),
}


def render_run(
    run: Mapping[str, Any],
    metrics: pa.Table,
    per_class: pa.Table | None = None,
    curves: pa.Table | None = None,
    samples: pa.Table | None = None,
    environment: pa.Table | None = None,
    *,
    home: str | None = None,
) -> str:
    """A run's page: one HTML file that needs no other, no network and no JavaScript.

    Args:
        run: a row of ``schemas.RUNS`` as a dictionary.
        metrics: ``schemas.METRICS`` of this run.
        per_class: ``schemas.STORED_PER_CLASS`` of this run.
        curves: ``schemas.STORED_PR_CURVES`` of this run.
        samples: ``schemas.SAMPLES`` or ``STORED_SAMPLES`` of this run, in run order.
        environment: ``schemas.ENVIRONMENT`` of this run.
        home: address of the leaderboards' index, for a page that is part of a site.
    """
    scores = _scores(run, metrics)
    return render(
        "run.html",
        home=home,
        run=run,
        name=run_name(run),
        dataset=dataset_title(run),
        title=run_title(run),
        scores=scores,
        timing=_timing(samples),
        curves=_curves(curves, scores),
        class_tables=_class_tables(per_class, scores),
        provenance=provenance(run),
        environment=environment_facts(environment),
    )


@dataclass(frozen=True, slots=True)
class Value:
    """A line of the numbers: a value beside what its publisher claims."""

    name: str
    primary: bool
    measured: str
    exact: float | None
    published: str
    difference: str
    verdict: str
    interval: str
    level: str


@dataclass(frozen=True, slots=True)
class Score:
    """One metric's numbers in this run; ``prefix`` is what their names begin with."""

    task: str
    prefix: str
    title: str
    noun: str
    metric: str
    primary: str
    scale: int
    values: Sequence[Value]

    @property
    def headline(self) -> Value:
        return next((value for value in self.values if value.primary), self.values[0])

    @property
    def level(self) -> str:
        """The confidence level of the intervals, in per cent; empty where there are none."""
        return next((value.level for value in self.values if value.level), "")

    @property
    def claimed(self) -> bool:
        return any(value.published != notation.DASH for value in self.values)


@dataclass(frozen=True, slots=True)
class Timing:
    """Stage times, and the latency plot with how to read it."""

    stages: Sequence[tuple[str, str, str, str]]
    p50: str
    p95: str
    images_per_second: str
    images: int
    chart: Markup | None
    caption: str


def _scores(run: Run, metrics: pa.Table) -> list[Score]:
    by_metric: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in metrics.to_pylist():
        by_metric.setdefault((row["task"], row["metric"]), []).append(row)
    scores = []
    for (task, metric), rows in by_metric.items():
        scale = scale_of(measurable(row["value"]) for row in rows)
        primary = next((row["name"] for row in rows if row["primary"]), rows[0]["name"])
        scores.append(
            Score(
                task=task,
                prefix=primary.partition("/")[0],
                title=task_title(task),
                noun=TASK_NOUNS.get(task, task),
                metric=metric,
                primary=primary.partition("/")[2] or primary,
                scale=scale,
                values=[_value(run, row, scale) for row in rows],
            )
        )
    return scores


def _value(run: Run, row: Mapping[str, Any], scale: int) -> Value:
    name = str(row["name"])
    measured, published = measurable(row["value"]), measurable(row["published"])
    apart = run["partial"] or run["weights_random"]
    compared = measured is not None and published is not None and not apart
    judged = ""
    if measured is not None and published is not None:
        judged = verdict(
            {name: measured},
            {name: published},
            random=bool(run["weights_random"]),
            partial=bool(run["partial"]),
        )
    return Value(
        name=name.partition("/")[2] or name,
        primary=bool(row["primary"]),
        measured=notation.value(measured, scale, 2),
        exact=measured,
        published=notation.value(published, scale),
        difference=notation.difference(
            measured - published if compared else None,  # type: ignore[operator]
            scale,
            2,
        ),
        verdict=judged,
        interval=_interval(row, scale),
        level="" if row.get("ci_level") is None else f"{100 * row['ci_level']:g}%",
    )


def _interval(row: Mapping[str, Any], scale: int) -> str:
    if row.get("ci_low") is None:
        return ""
    low, high = (notation.value(measurable(row[end]), scale, 2) for end in ("ci_low", "ci_high"))
    return f"{low} to {high}"


def _timing(samples: pa.Table | None) -> Timing | None:
    if samples is None or samples.num_rows == 0:
        return None
    summary = summarise(samples)
    p50, p95 = (notation.milliseconds(summary["latency"][p]) for p in ("p50", "p95"))
    chart, caption = _latency_chart(
        latencies(samples), f"median {p50} ms, 95th percentile {p95} ms"
    )
    return Timing(
        stages=[
            (
                *_STAGE_TITLES[stage],
                notation.milliseconds(summary[stage]["p50"]) if stage in summary else notation.DASH,
                notation.milliseconds(summary[stage]["p95"]) if stage in summary else notation.DASH,
            )
            for stage in (*STAGES, "latency")
        ],
        p50=p50,
        p95=p95,
        images_per_second=notation.milliseconds(summary["images_per_second"]["value"]),
        images=samples.num_rows,
        chart=chart,
        caption=caption,
    )


def _latency_chart(latency: NDArray[np.float64], in_words: str) -> tuple[Markup | None, str]:
    """The plot and how to read it; of a single image there is nothing to plot."""
    if len(latency) < 2:
        return None, ""
    spread = histogram(latency) if len(latency) >= _ENOUGH_FOR_HISTOGRAM else None
    chart = latency_along_run(
        stretches(latency),
        spread,
        name="latency",
        description=f"Latency of {len(latency)} images in the order in which they were run: "
        f"{in_words}.",
    )
    if spread is None:
        return chart, "One point an image."
    beyond = f" ({spread.beyond} slower ones are in the topmost bar)" if spread.beyond else ""
    return chart, (
        "Line: median of consecutive images; band: the middle nine tenths. A slope means that the "
        f"machine slowed down. Right: how often each latency occurs{beyond}."
    )


@dataclass(frozen=True, slots=True)
class CurveFigure:
    """A task's precision-recall curves, and what each line is."""

    score: Score
    chart: Markup
    categories: int
    legend: Sequence[tuple[LineStyle, str]]


def _curves(curves: pa.Table | None, scores: Sequence[Score]) -> list[CurveFigure]:
    if curves is None:
        return []
    drawn = []
    for score in scores:
        found = mean_curves(curves, score.prefix)
        if not found:
            continue
        threshold = "OKS" if score.task == "keypoints" else "IoU"
        place = count()
        lines = [
            (MEAN_LINE, curve.label, curve)
            if curve.iou is None
            else (line_style(next(place)), f"{threshold} {curve.label}", curve)
            for curve in found
        ]
        chart = precision_recall(
            lines,
            name=f"pr-{score.prefix}",
            description=f"Precision against recall of {score.noun}, mean over "
            f"{found[0].categories} categories: {', '.join(told for _, told, _ in lines)}.",
        )
        legend = [(style, told) for style, told, _ in lines]
        drawn.append(CurveFigure(score, chart, found[0].categories, legend))
    return drawn


def _class_tables(
    per_class: pa.Table | None, scores: Sequence[Score]
) -> list[tuple[Score, ClassTable]]:
    if per_class is None or per_class.num_rows == 0:
        return []
    found = [(score, class_table(per_class, score.prefix, score.primary)) for score in scores]
    return [(score, table) for score, table in found if table is not None]
