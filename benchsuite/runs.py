"""The corridor from end to end: a model taken to a dataset, scored and stored.

``plan_run`` settles everything that can be known without work (and is all that ``--dry-run`` does);
``execute`` walks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

import benchsuite_kernels
from benchsuite.categories import CategoryMap
from benchsuite.devices import Device, use_device
from benchsuite.environment import facts
from benchsuite.errors import UsageError
from benchsuite.execution import Execution, check_device, check_model
from benchsuite.inference import build_model, describe, predict_all
from benchsuite.metric_selection import ResolvedMetric
from benchsuite.pairing import choose_metrics, pair_categories, shared_tasks
from benchsuite.predictions.parts import PredictionParts
from benchsuite.predictions.to_columns import read_predictions
from benchsuite.protocols import Model
from benchsuite.recording import Recording, as_json, record
from benchsuite.required_kernels import check_served, check_usable
from benchsuite.resolve import (
    OpenedDataset,
    ResolvedModel,
    find_dataset,
    keypoint_layout,
    open_dataset,
    resolve_model,
)
from benchsuite.results import Outcome
from benchsuite.run_record import identity_fields, published_numbers, run_row
from benchsuite.run_warnings import find_warnings
from benchsuite.scoring import task_predictions, truth_of
from benchsuite.scoring_choice import ScoringChoice
from benchsuite.store.results_store import Store, new_run_id, result_identity
from benchsuite.weights import Weights, resolve_weights

if TYPE_CHECKING:
    from benchsuite.records import ImageRecord

BYTES_PER_IMAGE = 64 * 1024
"""What an image's predictions take in the store at most, roughly: 100 masks as RLE."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What ``benchsuite run`` was asked for. ``None`` means: choose."""

    model: str
    dataset: str
    weights: str | None = None
    split: str | None = None
    images: Path | None = None
    device: str | None = None
    threads: int | None = None
    batch_size: int = 1
    seed: int = 0
    limit: int | None = None
    warmup: int = 3
    execution: Execution = field(default_factory=Execution)
    require_kernels: bool = False
    metrics: Sequence[str] = ()
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    scoring: ScoringChoice = field(default_factory=ScoringChoice)
    out: Path = Path("results")
    resume: bool = False
    command: str = ""
    verb: str = "run"


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run with every name resolved and the dataset open, but nothing downloaded or built."""

    request: RunRequest
    opened: OpenedDataset
    model: ResolvedModel
    tasks: tuple[str, ...]
    metrics: Sequence[ResolvedMetric]
    records: Sequence[ImageRecord]
    n_dataset_images: int

    @property
    def partial(self) -> bool:
        return len(self.records) < self.n_dataset_images


def plan_run(request: RunRequest) -> RunPlan:
    """Resolve names and options and open the dataset.

    Raises:
        UsageError: an unknown name or option, model and dataset share no task, or the model cannot
            be executed as asked.
        DataMissingError: the dataset is not there.
    """
    for name in ("batch_size", "limit"):
        value = getattr(request, name)
        if value is not None and value < 1:
            raise UsageError(f"--{name.replace('_', '-')} must be at least 1, not {value}")
    dataset_spec, _, _ = find_dataset(request.dataset, request.split)
    model = resolve_model(
        request.model,
        dataset=dataset_spec.name,
        weights=request.weights,
        overrides=request.overrides.get("model"),
    )
    check_model(request.execution, model.spec)
    opened = open_dataset(
        request.dataset,
        split=request.split,
        images=request.images,
        tasks=model.spec.tasks,
        overrides=request.overrides.get("dataset"),
    )
    if opened.given_as_file and request.images is None:
        raise UsageError(
            f"--dataset {request.dataset} is a file: say where its images lie (--images)"
        )
    tasks = shared_tasks(model.spec, opened)
    metrics = choose_metrics(model, opened, tasks, request.metrics, request.overrides.get("metric"))
    everything = opened.dataset.images()
    if not everything:
        raise UsageError(f"dataset {opened.title!r} has no images: there is nothing to run")
    return RunPlan(
        request=request,
        opened=opened,
        model=model,
        tasks=tasks,
        metrics=metrics,
        records=everything[: request.limit],
        n_dataset_images=len(everything),
    )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with its weights here and its model built: ready to walk."""

    plan: RunPlan
    weights: Weights
    device: Device
    model: Model
    described: Mapping[str, Any]
    mapping: CategoryMap
    identity: Mapping[str, Any]
    result_id: str
    environment: Mapping[str, Any]
    warnings: Sequence[str]


def execute(plan: RunPlan, tell: Callable[[str], None]) -> Outcome:
    """Predict, score, store.

    Args:
        tell: takes a line for the user (progress goes to stderr by itself).

    Raises:
        KernelError: kernels are required, and something slower served.
        InterruptedRun: on Ctrl-C; what was finished is kept and ``--resume`` goes on from there.
    """
    request = plan.request
    store = Store(request.out)
    store.check_writable(BYTES_PER_IMAGE * len(plan.records))
    ready = prepare(plan)
    for warning in ready.warnings:
        tell(warning)
    benchsuite_kernels.reset_served()
    device_name = ready.device.name.replace(":", "")
    folder = request.out / ".work" / f"{ready.result_id[:24]}-{device_name}"
    with PredictionParts(folder, ready.result_id, ready.mapping.category_ids) as parts:
        if not request.resume and parts.finished():
            tell(f"starting over: {parts.finished()} finished images are thrown away (--resume)")
            parts.restart()
        images_per_second = predict_all(
            ready.model,
            plan.opened,
            plan.records,
            parts,
            batch_size=request.batch_size,
            warmup=request.warmup,
            device=ready.device,
            tell=tell,
        )
        if request.require_kernels:
            check_served(benchsuite_kernels.served())
        outcome = score_and_store(ready, parts, store, tell, images_per_second)
        parts.discard()
    return outcome


def prepare(plan: RunPlan) -> Prepared:
    """Get the weights, build the model, and settle what the result is called.

    Raises:
        UsageError: the device is not there, or cannot execute as asked.
        KernelError: kernels are required, and this installation has none.
        DataMissingError: the weights are not there and cannot be fetched.
        InputError: the weights are not the model's, or its categories are none of the dataset's.
    """
    request, opened = plan.request, plan.opened
    device = use_device(request.device, threads=request.threads, seed=request.seed)
    check_device(request.execution, device.name)
    if request.require_kernels:
        check_usable(device.name)
    weights = resolve_weights(plan.model.weights, plan.model.recipe, plan.model.body)
    environment = facts()
    categories, mapping = pair_categories(plan.model.categories, opened, plan.tasks)
    model = build_model(
        plan.model,
        categories,
        weights=weights.path,
        device=device,
        seed=request.seed,
        keypoints=keypoint_layout(opened),
        execution=request.execution,
    )
    described = describe(model)
    identity = identity_fields(plan, weights, described)
    return Prepared(
        plan=plan,
        weights=weights,
        device=device,
        model=model,
        described=described,
        mapping=mapping,
        identity=identity,
        result_id=result_identity(identity),
        environment=environment,
        warnings=find_warnings(plan, weights, mapping, environment),
    )


def score_and_store(
    ready: Prepared,
    parts: PredictionParts,
    store: Store,
    tell: Callable[[str], None],
    images_per_second: float | None,
) -> Outcome:
    """Score the finished predictions and put everything into the store, or nothing.

    Args:
        images_per_second: what ``predict_all`` returned.
    """
    plan, opened = ready.plan, ready.plan.opened
    served = benchsuite_kernels.served()
    now = datetime.now(UTC)
    run_id = new_run_id(plan.model.spec.name, opened.name, now)
    with store.stage(run_id) as staging:
        instances, images = staging.path("predictions"), staging.path("prediction_images")
        counts = parts.merge(instances, images, staging.path("throughput"), run_id)
        predictions = read_predictions(instances, images)
        scored = plan.request.scoring.score(
            lambda task: truth_of(opened.dataset, task),
            lambda task: task_predictions(predictions, task),
            plan.metrics,
            predictions.images,
            tell,
        )
        published = published_numbers(plan, ready.weights)
        row = {
            "run_id": run_id,
            "created": now,
            "n_predictions": counts.instances,
            "n_dropped": counts.dropped,
            "kernels": as_json(served),
            "overlapped_images_per_second": images_per_second,
            **run_row(ready, scored, published),
        }
        recording = Recording(row, published, ready.weights.to_json(), served, ready.environment)
        samples = pq.read_table(staging.path("throughput"))
        return record(staging, recording, scored, opened.dataset.categories, samples)
