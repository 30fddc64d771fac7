"""The right half of the corridor: predictions and truth to numbers. No model, no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from benchsuite import schemas
from benchsuite.errors import ContractError
from benchsuite.protocols import Predictions, Scores
from benchsuite.resolve import OpenedDataset, ResolvedMetric

if TYPE_CHECKING:
    from benchsuite.specs import Category, MetricSpec


@dataclass(frozen=True, slots=True)
class Scored:
    """One metric's outcome."""

    spec: MetricSpec
    evaluator: str
    scores: Scores

    def named(self) -> dict[str, float]:
        """``"<prefix>/<value>"`` to number."""
        prefix = self.spec.value_prefix
        return {f"{prefix}/{name}": float(value) for name, value in self.scores.metrics.items()}


def score(
    opened: OpenedDataset,
    predictions: Callable[[str], Predictions],
    metrics: Sequence[ResolvedMetric],
    tell: Callable[[str], None] = lambda _: None,
) -> list[Scored]:
    """Score the images that were run (those with a row in ``predictions.images``).

    Args:
        predictions: task to what is scored for it.
    """
    scored = []
    for resolved in metrics:
        spec, metric = resolved.spec, resolved.metric
        tell(f"scoring {spec.task} with {metric.evaluator}")
        truth = opened.dataset.truth(spec.task)
        matches = metric.match(truth, predictions(spec.task))
        if "image_id" not in matches.column_names:
            raise ContractError(f"metric {spec.name!r}: match() returned no column image_id")
        scored.append(Scored(spec, metric.evaluator, metric.accumulate(matches)))
    return scored


@dataclass(frozen=True, slots=True)
class ResultTables:
    """What scoring puts into the store."""

    metrics: pa.Table
    per_class: pa.Table
    pr_curves: pa.Table


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
        for name, value in outcome.named().items():
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
                }
            )

    def stored(schema: pa.Schema, part: Callable[[Scores], pa.Table | None]) -> pa.Table:
        tables = [
            _stored(table, schema, keys.run_id, outcome.spec.task, names)
            for outcome in scored
            if (table := part(outcome.scores)) is not None
        ]
        return pa.concat_tables(tables) if tables else schema.empty_table()

    return ResultTables(
        metrics=pa.Table.from_pylist(rows, schema=schemas.METRICS),
        per_class=stored(schemas.STORED_PER_CLASS, lambda scores: scores.per_class),
        pr_curves=stored(schemas.STORED_PR_CURVES, lambda scores: scores.curves),
    )


def _stored(
    table: pa.Table, schema: pa.Schema, run_id: str, task: str, names: Mapping[int, str]
) -> pa.Table:
    n = table.num_rows
    category = [names.get(i, str(i)) for i in table["category_id"].to_pylist()]
    columns = {
        "run_id": pa.array([run_id] * n, pa.string()),
        "task": pa.array([task] * n, pa.string()),
        "category": pa.array(category, pa.string()),
        **{name: table[name] for name in table.column_names},
    }
    return pa.table([columns[name] for name in schema.names], names=schema.names).cast(schema)
