"""The right half of the corridor alone: somebody's predictions, scored and stored.

No torch is imported and no image is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import benchsuite_kernels
from benchsuite import schemas
from benchsuite._version import __version__
from benchsuite.columns.arrow_arrays import empty_table
from benchsuite.environment import facts
from benchsuite.errors import UsageError
from benchsuite.evaluated import Evaluated, read_evaluated
from benchsuite.metric_selection import ResolvedMetric, make_metric, metrics_with_prefix
from benchsuite.protocols import Predictions
from benchsuite.recording import Recording, as_json, image_list_sha256, record
from benchsuite.results import Outcome
from benchsuite.scoring import Scored, with_slices
from benchsuite.scoring_choice import ScoringChoice
from benchsuite.slices import ImageSlice, read_slices, stated_slices
from benchsuite.store.results_store import Staging, Store, new_run_id, result_identity
from benchsuite_kernels.threads import evaluation_threads

BYTES_PER_INPUT_BYTE = 2


@dataclass(frozen=True, slots=True)
class EvalRequest:
    """What ``benchsuite eval`` was asked for.

    Attributes:
        dataset: name, file or folder of the truth; ``None`` where ``truth_maps`` alone is it.
        predictions: file or folder; ``None`` where ``prediction_maps`` alone holds them.
        task: the prefix of the values that are wanted (``bbox``, ``lvis-segm``, ``semantic``).
        name: what the results call the model; default: the predictions' stem.
        truth_maps, prediction_maps: folders of PNG maps, for map tasks.
        num_classes, ignore: of maps without an annotation file: class numbers are 0 to
            ``num_classes - 1``, and truth of the value ``ignore`` does not count.
        lenient: score what cannot be scored as the official scorer does, and count it.
        slices: a table of attributes of the images, to have the values of each group of them.
        page: whether to draw the run's page too.
    """

    task: str
    dataset: str | None = None
    predictions: Path | None = None
    split: str | None = None
    name: str | None = None
    metrics: Sequence[str] = ()
    truth_maps: Path | None = None
    prediction_maps: Path | None = None
    num_classes: int | None = None
    ignore: int | None = None
    lenient: bool = False
    scoring: ScoringChoice = field(default_factory=ScoringChoice)
    slices: Path | None = None
    page: bool = False
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    out: Path = Path("results")
    command: str = ""


def evaluate_file(request: EvalRequest, tell: Callable[[str], None]) -> Outcome:
    """Score predictions that lie in files.

    Raises:
        UsageError: an unknown name, or the dataset has no truth for the task.
        DataMissingError: truth or predictions are not there.
        InputError: a record that cannot be scored; nothing is stored then.
    """
    # What does not depend on the numbers is found out and stored while they are computed.
    with ThreadPoolExecutor(max_workers=1) as background:
        environment = background.submit(facts)
        evaluated = read_evaluated(request, tell)
        metrics = _metrics(request, evaluated)
        store = Store(request.out)
        store.check_writable(BYTES_PER_INPUT_BYTE * evaluated.input_bytes)
        for warning in evaluated.warnings:
            tell(f"! {warning}")
        name, now = request.name or evaluated.predictions_name, datetime.now(UTC)
        with (
            store.stage(new_run_id(name, evaluated.name, now)) as staging,
            ThreadPoolExecutor(max_workers=1) as storing,
        ):
            stored = storing.submit(_store_predictions, staging, evaluated.predictions)
            scored = _score(request, evaluated, metrics, tell)
            row = {
                "run_id": staging.run_id,
                "created": now,
                "model": name,
                **_run_row(request, evaluated, metrics, scored),
            }
            served = benchsuite_kernels.served()
            recording = Recording(row, {}, None, served, environment.result(), request.page)
            samples = empty_table(schemas.STORED_SAMPLES)
            outcome = record(staging, recording, scored, evaluated.categories, samples)
            stored.result()
        return outcome


def _score(
    request: EvalRequest,
    evaluated: Evaluated,
    metrics: Sequence[ResolvedMetric],
    tell: Callable[[str], None],
) -> list[Scored]:
    predictions = evaluated.predictions
    scored = request.scoring.score(
        evaluated.truth, lambda _: predictions, metrics, predictions.images, tell
    )
    slices = _image_slices(request, evaluated, metrics)
    return with_slices(scored, metrics, slices) if slices else scored


def _store_predictions(staging: Staging, predictions: Predictions) -> None:
    staging.write("predictions", predictions.instances)
    staging.write("prediction_images", predictions.images)
    staging.write("throughput", empty_table(schemas.STORED_SAMPLES))


def _metrics(request: EvalRequest, evaluated: Evaluated) -> list[ResolvedMetric]:
    """The metrics that the task's prefix stands for, or those named."""
    from benchsuite.plugins import registry

    if request.metrics:
        specs = [registry().find("metrics", name) for name in request.metrics]
    else:
        specs = metrics_with_prefix(request.task, evaluated.spec)
    for spec in specs:
        if spec.value_prefix != request.task:
            raise UsageError(
                f"metric {spec.name!r} gives {spec.value_prefix} values, not {request.task}"
            )
    return [make_metric(spec, request.overrides.get("metric")) for spec in specs]


def _image_slices(
    request: EvalRequest, evaluated: Evaluated, metrics: Sequence[ResolvedMetric]
) -> list[ImageSlice]:
    """Those of the table that was given, else those that the truth states."""
    if request.scoring.scorer == "official":
        if request.slices is not None:
            raise UsageError("--slices needs the matches, which the official scorer does not give")
        return []
    images = evaluated.truth(metrics[0].spec.task).images
    return stated_slices(images) if request.slices is None else read_slices(request.slices, images)


def _run_row(
    request: EvalRequest,
    evaluated: Evaluated,
    metrics: Sequence[ResolvedMetric],
    scored: Sequence[Scored],
) -> dict[str, Any]:
    """The row of ``schemas.RUNS``, but for what names this one execution."""
    images_sha256 = image_list_sha256(evaluated.images)
    identity = {
        "version": __version__,
        "predictions": evaluated.predictions_sha256,
        "dataset": evaluated.name,
        "split": evaluated.split,
        "dataset_options": dict(evaluated.options),
        "annotation_sha256": evaluated.annotation_sha256,
        "images_sha256": images_sha256,
        "lenient": request.lenient,
        "scorer": request.scoring.scorer,
        "evaluators": {each.spec.name: each.identity for each in metrics},
    }
    return {
        "result_id": result_identity(identity),
        "verb": "eval",
        "recipe": None,
        "weights_random": False,
        "dataset": evaluated.name,
        "split": evaluated.split,
        "dataset_options": as_json(evaluated.options),
        "annotation_sha256": evaluated.annotation_sha256,
        "images_sha256": images_sha256,
        "n_images": len(evaluated.images),
        "n_dataset_images": len(evaluated.images),
        "partial": False,
        "predictions_sha256": evaluated.predictions_sha256,
        "n_predictions": evaluated.n_predictions,
        "n_dropped": evaluated.n_dropped,
        "tasks": list(dict.fromkeys(each.spec.task for each in metrics)),
        "evaluators": as_json({each.spec.name: each.evaluator for each in scored}),
        "precision": None,
        "batch_size": None,
        "seed": None,
        "device": None,
        "threads": evaluation_threads(),
        "verdict": "no published number",
        "warnings": list(evaluated.warnings),
        "command": request.command,
        "version": __version__,
    }
