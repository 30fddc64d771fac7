"""The right half of the corridor alone: somebody's COCO results file, scored and stored.

No torch is imported and no image is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchsuite import schemas
from benchsuite._version import __version__
from benchsuite.columns.coco_results import read_coco_results
from benchsuite.environment import facts
from benchsuite.errors import DataMissingError, UsageError
from benchsuite.recording import Recording, as_json, image_list_sha256, record
from benchsuite.resolve import open_dataset, resolve_metrics
from benchsuite.results import Outcome
from benchsuite.scoring import score
from benchsuite.store.results_store import Store, new_run_id, result_identity

BYTES_PER_INPUT_BYTE = 2


@dataclass(frozen=True, slots=True)
class EvalRequest:
    """What ``benchsuite eval`` was asked for.

    Attributes:
        name: what the results call the model; default: the file's stem.
    """

    dataset: str
    predictions: Path
    task: str
    split: str | None = None
    name: str | None = None
    metrics: Sequence[str] = ()
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    out: Path = Path("results")
    command: str = ""


def evaluate_file(request: EvalRequest, tell: Callable[[str], None]) -> Outcome:
    """Score a COCO results file.

    Raises:
        UsageError: an unknown name, or the dataset has no truth for the task.
        DataMissingError: dataset or predictions are not there.
        InputError: a record that cannot be scored; nothing is stored then.
    """
    if not request.predictions.is_file():
        raise DataMissingError(f"there is no predictions file {request.predictions}")
    opened = open_dataset(
        request.dataset,
        split=request.split,
        tasks=(request.task,),
        overrides=request.overrides.get("dataset"),
    )
    dataset = opened.dataset
    if request.task not in dataset.tasks:
        raise UsageError(
            f"dataset {opened.title!r} has no truth for {request.task!r}; it has "
            f"{', '.join(dataset.tasks)}"
        )
    metrics = resolve_metrics(opened.spec, (request.task,), request.metrics)
    if not metrics:
        raise UsageError(f"no metric scores {request.task!r} on {opened.title!r} (see --metric)")
    store = Store(request.out)
    size = request.predictions.stat().st_size
    store.check_writable(BYTES_PER_INPUT_BYTE * size)
    records = dataset.images()
    tell(f"reading {request.predictions} ({size / 1e6:.1f} MB)")
    predictions = read_coco_results(request.predictions, records, dataset.categories, request.task)
    scored = score(opened, lambda _: predictions, metrics, tell)
    predictions_sha256 = sha256(request.predictions.read_bytes()).hexdigest()
    evaluators = {each.spec.name: each.evaluator for each in scored}
    images_sha256 = image_list_sha256(records)
    result_id = result_identity(
        {
            "version": __version__,
            "predictions": predictions_sha256,
            "dataset": opened.name,
            "split": opened.split,
            "dataset_options": dict(opened.options),
            "annotation_sha256": dataset.annotation_sha256,
            "images_sha256": images_sha256,
            "evaluators": evaluators,
        }
    )
    name = request.name or request.predictions.stem
    now = datetime.now(UTC)
    run_id = new_run_id(name, opened.name, now)
    row = {
        "run_id": run_id,
        "result_id": result_id,
        "created": now,
        "verb": "eval",
        "model": name,
        "recipe": None,
        "weights_random": False,
        "dataset": opened.name,
        "split": opened.split,
        "dataset_options": as_json(opened.options),
        "annotation_sha256": dataset.annotation_sha256,
        "images_sha256": images_sha256,
        "n_images": len(records),
        "n_dataset_images": len(records),
        "partial": False,
        "predictions_sha256": predictions_sha256,
        "n_predictions": predictions.instances.num_rows,
        "n_dropped": 0,
        "tasks": [request.task],
        "evaluators": as_json(evaluators),
        "precision": None,
        "batch_size": None,
        "seed": None,
        "device": None,
        "threads": None,
        "verdict": "no published number",
        "warnings": [],
        "command": request.command,
        "version": __version__,
    }
    import benchsuite_kernels

    recording = Recording(row, {}, None, benchsuite_kernels.served(), facts())
    with store.stage(run_id) as staging:
        staging.write("predictions", predictions.instances)
        staging.write("prediction_images", predictions.images)
        samples = schemas.STORED_SAMPLES.empty_table()
        staging.write("throughput", samples)
        return record(staging, recording, scored, dataset.categories, samples)
