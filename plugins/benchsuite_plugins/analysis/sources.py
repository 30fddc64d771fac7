"""What is analysed: a stored run, or truth and predictions that lie in files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.errors import DataMissingError, InputError, UsageError
from benchsuite.protocols import Predictions, Truth

if TYPE_CHECKING:
    from benchsuite.metric_selection import ResolvedMetric
    from benchsuite.specs import Category, DatasetSpec


@dataclass(frozen=True, slots=True)
class AnalysisRequest:
    """What ``benchsuite analyze`` was asked for.

    Attributes:
        run: a stored run's id or its beginning; ``None``: ``predictions`` are analysed.
        dataset: the truth; ``None``: that of the run.
        task: the prefix of the values that the matches are made for; ``None``: ``bbox`` for files,
            for a run the first that can be analysed.
        results: the store.
        iou, background, score: thresholds of the analysis; see ``error_types`` and
            ``confusion_matrix``.
        overrides: option values, by table.
    """

    run: str | None = None
    dataset: str | None = None
    split: str | None = None
    predictions: Path | None = None
    task: str | None = None
    results: Path = Path("results")
    iou: float = 0.5
    background: float = 0.1
    score: float = 0.3
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides, read, and the metric whose matches are analysed.

    Attributes:
        name: whose predictions they are.
        dataset: of what.
        task: the prefix of the metric's values.
    """

    name: str
    dataset: str
    task: str
    metric: ResolvedMetric
    truth: Truth
    predictions: Predictions
    categories: Sequence[Category]


def read_sides(request: AnalysisRequest, tell: Callable[[str], None]) -> Sides:
    """Open the truth and read the predictions.

    Raises:
        UsageError: an unknown name, both or neither of run and predictions, or a task that cannot
            be analysed.
        DataMissingError: something is not there.
        InputError: a record that cannot be scored, or another truth than the run's.
    """
    if (request.run is None) == (request.predictions is None):
        raise UsageError("give either a run's id, or --dataset and --predictions")
    return _of_run(request, request.run) if request.run is not None else _of_files(request, tell)


def _of_files(request: AnalysisRequest, tell: Callable[[str], None]) -> Sides:
    from benchsuite.evaluated import read_evaluated
    from benchsuite.evaluation import EvalRequest

    task = request.task or "bbox"
    _check_task(task)
    evaluated = read_evaluated(
        EvalRequest(
            task=task,
            dataset=request.dataset,
            predictions=request.predictions,
            split=request.split,
            overrides=request.overrides,
        ),
        tell,
    )
    metric = _metric(task, evaluated.spec, request)
    return Sides(
        name=evaluated.predictions_name,
        dataset=evaluated.name,
        task=task,
        metric=metric,
        truth=evaluated.truth(metric.spec.task),
        predictions=evaluated.predictions,
        categories=evaluated.categories,
    )


def _of_run(request: AnalysisRequest, given: str) -> Sides:
    from benchsuite.columns.coco_results_writer import as_results
    from benchsuite.resolve import open_dataset
    from benchsuite.scoring import truth_of
    from benchsuite.store.results_store import Store

    if not request.results.is_dir():
        raise DataMissingError(f"there is no store {request.results}")
    store = Store(request.results)
    run_id = store.find_run(given)
    row: dict[str, Any] = store.read("runs", [run_id]).to_pylist()[0]
    prefix = request.task or _first_task(row)
    _check_task(prefix)
    try:
        opened = open_dataset(
            request.dataset or row["dataset"],
            split=request.split or (None if request.dataset else row["split"]),
            tasks=tuple(row["tasks"]),
            overrides=request.overrides.get("dataset")
            or json.loads(row["dataset_options"] or "{}"),
        )
    except UsageError as error:
        if request.dataset is not None:
            raise
        raise UsageError(
            f"{error}. The run {run_id} was scored on {row['dataset']!r}; if that was a file, say "
            "where it is with --dataset"
        ) from error
    if opened.dataset.annotation_sha256 != row["annotation_sha256"]:
        raise InputError(
            f"the annotations of {opened.title} are not those that run {run_id} was scored on",
            remedy="Give the same with --dataset",
        )
    metric = _metric(prefix, opened.spec, request)
    predictions = Predictions(
        store.read("prediction_images", [run_id]), store.read("predictions", [run_id]), run_id
    )
    if row["verb"] != "eval":  # what a model predicts, as a results file of the task has it
        predictions = as_results(predictions, metric.spec.task)
    return Sides(
        name=row["model"],
        dataset=opened.title,
        task=prefix,
        metric=metric,
        truth=truth_of(opened.dataset, metric.spec.task),
        predictions=predictions,
        categories=opened.dataset.categories,
    )


def _first_task(row: Mapping[str, Any]) -> str:
    """The prefix of the first metric of a run that is of boxes or masks."""
    from benchsuite.plugins import registry

    known = registry().metrics
    for name in json.loads(row["evaluators"]):
        if name in known and known[name].task in ("bbox", "segm"):
            return known[name].value_prefix
    raise UsageError(f"run {row['run_id']} has no boxes or masks to analyse")


def _check_task(prefix: str) -> None:
    """Raises ``UsageError`` where the prefix's metrics are of neither boxes nor masks."""
    from benchsuite.metric_selection import metrics_with_prefix

    task = metrics_with_prefix(prefix)[0].task
    if task not in ("bbox", "segm"):
        raise UsageError(f"{prefix} is scored by {task}; only boxes and masks are analysed")


def _metric(prefix: str, dataset: DatasetSpec | None, request: AnalysisRequest) -> ResolvedMetric:
    from benchsuite.metric_selection import make_metric, metrics_with_prefix

    spec = metrics_with_prefix(prefix, dataset)[0]
    return make_metric(spec, request.overrides.get("metric"))
