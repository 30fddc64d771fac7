"""The right half of the corridor: predictions and truth to numbers. No model, no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from benchsuite import schemas
from benchsuite.columns.arrow_arrays import (
    as_type,
    empty_table,
    from_rows,
    from_values,
    to_numpy,
)
from benchsuite.errors import ContractError
from benchsuite.protocols import Dataset, Predictions, Scores, Truth

if TYPE_CHECKING:
    from benchsuite.intervals import Interval
    from benchsuite.metric_selection import ResolvedMetric
    from benchsuite.slices import ImageSlice, SliceScores
    from benchsuite.specs import Category, MetricSpec

TRUTH_OF = {"proposals": "bbox"}
"""Task to the task whose truth it is scored by, where that is another one."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One metric's outcome.

    Attributes:
        matches: the match table; ``None`` where the official scorer made the numbers.
        intervals: value name to its confidence interval, where intervals were asked for.
        slices: values of parts of the images, where they were asked for.
        categories: of the truth, which may have some that the dataset has for this task alone.
    """

    spec: MetricSpec
    evaluator: str
    scores: Scores
    matches: pa.Table | None = None
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    slices: Sequence[SliceScores] = ()
    categories: Sequence[Category] = ()

    def named(self) -> dict[str, float]:
        """``"<prefix>/<value>"`` to number."""
        prefix = self.spec.value_prefix
        return {f"{prefix}/{name}": float(value) for name, value in self.scores.metrics.items()}

    def named_intervals(self) -> dict[str, Interval]:
        """``"<prefix>/<value>"`` to interval."""
        return {f"{self.spec.value_prefix}/{name}": each for name, each in self.intervals.items()}


def serves(tasks: Sequence[str], task: str) -> bool:
    """Whether a dataset with truth for ``tasks`` has what ``task`` is scored by."""
    return task in tasks or TRUTH_OF.get(task) in tasks


def truth_of(dataset: Dataset, task: str) -> Truth:
    """The truth that ``task`` is scored by."""
    tasks = dataset.tasks
    return dataset.truth(task if task in tasks else TRUTH_OF.get(task, task))


def score(
    truth: Callable[[str], Truth],
    predictions: Callable[[str], Predictions],
    metrics: Sequence[ResolvedMetric],
    tell: Callable[[str], None] = lambda _: None,
) -> list[Scored]:
    """Score the images that were run (those with a row in ``predictions.images``).

    Args:
        truth: task to its truth.
        predictions: task to what is scored for it.
    """
    scored = []
    for resolved in metrics:
        task = resolved.spec.task
        tell(f"scoring {resolved.spec.value_prefix} with {resolved.metric.evaluator}")
        wanted = truth(task)
        scored.append(score_matches(resolved, wanted, match(resolved, wanted, predictions(task))))
    return scored


def match(resolved: ResolvedMetric, truth: Truth, predictions: Predictions) -> pa.Table:
    """The match table of the images that have a row in ``predictions.images``.

    Raises:
        ContractError: the metric returned another table.
    """
    matches = resolved.metric.match(truth, predictions)
    if "image_id" not in matches.column_names:
        raise ContractError(f"metric {resolved.spec.name!r}: match() returned no column image_id")
    return matches


def score_matches(resolved: ResolvedMetric, truth: Truth, matches: pa.Table) -> Scored:
    """The values of a match table, or of several of disjoint images that were put together."""
    scores = resolved.metric.accumulate(matches)
    evaluator = resolved.metric.evaluator
    return Scored(resolved.spec, evaluator, scores, matches, categories=truth.categories)


def task_predictions(predictions: Predictions, task: str) -> Predictions:
    """What of a model's predictions is scored for a task.

    Each task is scored as if its results file alone had been handed in: a mask's detection has the
    area of its mask, not that of a box that stands beside it.
    """
    from benchsuite.columns.coco_results_writer import as_results

    return as_results(predictions, task)


def with_intervals(
    scored: Sequence[Scored],
    metrics: Sequence[ResolvedMetric],
    images: pa.Table,
    **settings: Any,
) -> list[Scored]:
    """The outcomes with confidence intervals of their values.

    Args:
        images: the images that were scored, with a column ``image_id``.
        settings: ``level``, ``replicates`` and ``seed`` of ``benchsuite.intervals.intervals``.
    """
    from benchsuite.intervals import intervals

    image_ids = to_numpy(images["image_id"])
    done = []
    for outcome, resolved in zip(scored, metrics, strict=True):
        if outcome.matches is None:
            raise ContractError(f"{outcome.evaluator} leaves no matches to take intervals from")
        found = intervals(resolved.metric, outcome.matches, image_ids, **settings)
        done.append(replace(outcome, intervals=found))
    return done


def with_slices(
    scored: Sequence[Scored], metrics: Sequence[ResolvedMetric], slices: Sequence[ImageSlice]
) -> list[Scored]:
    """The outcomes with the values of each slice of the images."""
    from benchsuite.slices import score_slices

    done = []
    for outcome, resolved in zip(scored, metrics, strict=True):
        if outcome.matches is None:
            raise ContractError(f"{outcome.evaluator} leaves no matches to take slices of")
        found = tuple(score_slices(resolved.metric, outcome.matches, slices))
        done.append(replace(outcome, slices=found))
    return done


@dataclass(frozen=True, slots=True)
class ResultTables:
    """What scoring puts into the store."""

    metrics: pa.Table
    per_class: pa.Table
    pr_curves: pa.Table
    slices: pa.Table


@dataclass(frozen=True, slots=True)
class ResultKeys:
    """The columns that every metric row repeats, so that one table can be read by itself."""

    run_id: str
    result_id: str
    model: str
    recipe: str | None
    dataset: str
    split: str
    partial: bool
    published: Mapping[str, float] = field(default_factory=dict)


def result_tables(
    scored: Sequence[Scored], keys: ResultKeys, categories: Sequence[Category]
) -> ResultTables:
    """Rows of ``metrics``, ``per_class`` and ``pr_curves`` of one run."""
    names = {category.id: category.name for category in categories}
    rows = []
    for outcome in scored:
        spec = outcome.spec
        intervals = outcome.named_intervals()
        for name, value in outcome.named().items():
            interval = intervals.get(name)
            rows.append(
                {
                    "run_id": keys.run_id,
                    "result_id": keys.result_id,
                    "model": keys.model,
                    "recipe": keys.recipe,
                    "dataset": keys.dataset,
                    "split": keys.split,
                    "task": spec.task,
                    "metric": spec.name,
                    "name": name,
                    "value": value,
                    "published": keys.published.get(name),
                    "primary": name == f"{spec.value_prefix}/{spec.primary}",
                    "higher_is_better": spec.higher_is_better,
                    "partial": keys.partial,
                    "ci_low": None if interval is None else interval.low,
                    "ci_high": None if interval is None else interval.high,
                    "ci_level": None if interval is None else interval.level,
                    "ci_method": None if interval is None else interval.method,
                }
            )

    def stored(schema: pa.Schema, part: Callable[[Scores], pa.Table | None]) -> pa.Table:
        tables = [
            _stored(table, schema, keys.run_id, outcome, names)
            for outcome in scored
            if (table := part(outcome.scores)) is not None
        ]
        return pa.concat_tables(tables) if tables else empty_table(schema)

    return ResultTables(
        metrics=from_rows(rows, schemas.METRICS),
        per_class=stored(schemas.STORED_PER_CLASS, lambda scores: scores.per_class),
        pr_curves=stored(schemas.STORED_PR_CURVES, lambda scores: scores.curves),
        slices=_slice_rows(scored, keys.run_id),
    )


def _slice_rows(scored: Sequence[Scored], run_id: str) -> pa.Table:
    rows = [
        {
            "run_id": run_id,
            "task": outcome.spec.value_prefix,
            "attribute": each.slice.attribute,
            "slice": each.slice.value,
            "n_images": len(each.slice.image_ids),
            "name": f"{outcome.spec.value_prefix}/{name}",
            "value": value,
        }
        for outcome in scored
        for each in outcome.slices
        for name, value in each.metrics.items()
    ]
    return from_rows(rows, schemas.STORED_SLICES)


def _stored(
    table: pa.Table, schema: pa.Schema, run_id: str, outcome: Scored, names: Mapping[int, str]
) -> pa.Table:
    n = table.num_rows
    names = {**{each.id: each.name for each in outcome.categories}, **names}
    category = [names.get(i, str(i)) for i in table["category_id"].to_pylist()]
    columns = {
        "run_id": from_values([run_id] * n, pa.string()),
        "task": from_values([outcome.spec.value_prefix] * n, pa.string()),
        "category": from_values(category, pa.string()),
        **{name: table[name] for name in table.column_names},
    }
    arrays = [as_type(columns[field.name], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)
