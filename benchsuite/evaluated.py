"""Truth and predictions that lie in files: what ``benchsuite eval`` holds against each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.columns.arrow_arrays import is_present
from benchsuite.columns.image_columns import ImageColumns
from benchsuite.columns.predictions_of_records import ReadPredictions
from benchsuite.columns.sources import begin_predictions, truth_warnings
from benchsuite.errors import DataMissingError, UsageError
from benchsuite.files.digests import digest_file
from benchsuite.records import ImageRecord
from benchsuite.resolve import OpenedDataset, open_dataset
from benchsuite.scoring import serves, truth_of

if TYPE_CHECKING:
    from benchsuite.columns.coco_results import RestOfReading
    from benchsuite.evaluation import EvalRequest
    from benchsuite.protocols import Predictions, Truth
    from benchsuite.specs import Category, DatasetSpec


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Both sides, read.

    Attributes:
        name, split, options, spec: of the dataset; no spec where the truth is but a folder.
        truth: task to its truth.
        images: all images, in evaluation order.
        predictions_name: what the predictions are called, where the user gives no name.
        input_bytes: size of the predictions' files.
        n_dropped: records that were not scored, because the user asked for leniency.
        warnings: what a reader of the numbers has to know.
    """

    name: str
    split: str
    options: Mapping[str, Any]
    spec: DatasetSpec | None
    annotation_sha256: str
    categories: Sequence[Category]
    images: Sequence[ImageRecord]
    truth: Callable[[str], Truth]
    predictions: Predictions
    predictions_sha256: str
    predictions_name: str
    input_bytes: int
    n_predictions: int
    n_dropped: int = 0
    warnings: Sequence[str] = field(default_factory=tuple)


def read_evaluated(request: EvalRequest, tell: Callable[[str], None]) -> Evaluated:
    """Open the truth and read the predictions.

    Raises:
        UsageError: an unknown name, or the dataset has no truth for the task.
        DataMissingError: truth or predictions are not there.
        InputError: a record that cannot be scored.
    """
    if request.dataset is None:
        return _of_map_folders(request, tell)
    given = request.predictions or request.prediction_maps
    if given is None:
        raise UsageError("say with --predictions or --prediction-maps what shall be scored")
    if not given.exists():
        raise DataMissingError(f"there are no predictions {given}")
    return _of_dataset(request, request.dataset, given, tell)


def _of_map_folders(request: EvalRequest, tell: Callable[[str], None]) -> Evaluated:
    """Two folders of maps that hold class numbers, and nothing else."""
    from benchsuite.columns.map_folders import read_prediction_maps, read_truth_maps

    truth_maps, maps = request.truth_maps, request.prediction_maps
    if truth_maps is None:
        raise UsageError("say with --dataset, or for maps with --truth-maps, what the truth is")
    if maps is None or request.predictions is not None:
        raise UsageError("--truth-maps without --dataset goes with --prediction-maps alone")
    if request.num_classes is None:
        raise UsageError("--truth-maps without --dataset needs --num-classes")
    if scored_task(request) != "semantic":
        raise UsageError(f"--truth-maps needs a --dataset to score {request.task}")
    truth = read_truth_maps(truth_maps, request.num_classes, request.ignore)
    images = ImageColumns.of(truth.images).records()
    files = _files(maps)
    size = sum(file.stat().st_size for file in files)
    tell(f"reading {maps} ({size / 1e6:.1f} MB)")
    predictions = read_prediction_maps(maps, images)
    return Evaluated(
        name=truth_maps.resolve().name,
        split="",
        options={"num_classes": request.num_classes, "ignore": request.ignore},
        spec=None,
        annotation_sha256=_sha256(truth_maps, _files(truth_maps)),
        categories=truth.categories,
        images=images,
        truth=lambda _: truth,
        predictions=predictions,
        predictions_sha256=_sha256(maps, files),
        predictions_name=maps.resolve().name,
        input_bytes=size,
        n_predictions=len(files),
    )


def _of_dataset(
    request: EvalRequest, dataset: str, path: Path, tell: Callable[[str], None]
) -> Evaluated:
    task = scored_task(request)
    options = dict(request.overrides.get("dataset", {}))
    if request.truth_maps is not None:
        options["maps"] = str(request.truth_maps)
    files = _files(path)
    size = sum(file.stat().st_size for file in files)
    with ThreadPoolExecutor(max_workers=1) as background:
        begun = background.submit(_begin, request, path, task)
        opened = open_dataset(dataset, split=request.split, tasks=(task,), overrides=options)
        _check_serves(opened, task)
        images, categories = opened.dataset.images(), opened.dataset.categories
        tell(f"reading {path} ({size / 1e6:.1f} MB)")
        truth = truth_of(opened.dataset, task)
        read = begun.result()(ImageColumns.of(images), categories)
    return Evaluated(
        name=opened.name,
        split=opened.split,
        options=opened.options,
        spec=opened.spec,
        annotation_sha256=opened.dataset.annotation_sha256,
        categories=categories,
        images=images,
        truth=lambda _: truth,
        predictions=read.predictions,
        predictions_sha256=read.sha256 or _sha256(path, files),
        predictions_name=path.stem,
        input_bytes=size,
        n_predictions=_n_predictions(read.predictions, task),
        n_dropped=read.dropped,
        warnings=(*truth_warnings(truth), *(f"{path}: {each}" for each in read.let_pass)),
    )


def _begin(request: EvalRequest, path: Path, task: str) -> RestOfReading:
    """Begins to read the predictions of a dataset's images."""
    if task == "panoptic" and path.suffix == ".json":
        return partial(_of_panoptic_file, path, request.prediction_maps)
    if task == "semantic" and request.predictions is None:
        return partial(_of_maps, path)
    if request.prediction_maps is not None:
        raise UsageError(f"--prediction-maps holds nothing that {request.task} is scored by")
    return begin_predictions(path, task, lenient=request.lenient)


def _of_panoptic_file(
    path: Path, folder: Path | None, images: ImageColumns, categories: Sequence[Category]
) -> ReadPredictions:
    from benchsuite.columns.map_folders import read_coco_panoptic_predictions

    found = read_coco_panoptic_predictions(path, images.records(), folder)
    maps = map(Path, found.images["panoptic_path"].to_pylist())
    return ReadPredictions(found, sha256=_sha256_of_all([path, *maps]))


def _of_maps(folder: Path, images: ImageColumns, categories: Sequence[Category]) -> ReadPredictions:
    from benchsuite.columns.map_folders import read_prediction_maps

    return ReadPredictions(read_prediction_maps(folder, images.records()))


def _n_predictions(predictions: Predictions, task: str) -> int:
    """Instances; maps, where these are what is scored."""
    images = predictions.images
    if task not in ("semantic", "panoptic"):
        return int(predictions.instances.num_rows)
    return int((is_present(images[f"{task}_png"]) | is_present(images[f"{task}_path"])).sum())


def _sha256_of_all(files: Sequence[Path]) -> str:
    """SHA-256 over the digests of files that are read together, in that order."""
    digests = [digest_file(file, ["sha256"])["sha256"] for file in files if file.is_file()]
    return sha256("\n".join(digests).encode()).hexdigest()


def _check_serves(opened: OpenedDataset, task: str) -> None:
    if not serves(opened.dataset.tasks, task):
        raise UsageError(
            f"dataset {opened.title!r} has no truth for {task!r}; it has "
            f"{', '.join(opened.dataset.tasks)}"
        )


def scored_task(request: EvalRequest) -> str:
    """What the prefix that was asked for scores: ``bbox`` for ``lvis-bbox``."""
    from benchsuite.metric_selection import metrics_with_prefix

    return metrics_with_prefix(request.task)[0].task


def _files(path: Path) -> list[Path]:
    """The files that a path stands for, by name."""
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file())


def _sha256(path: Path, files: Sequence[Path]) -> str:
    """SHA-256 of a file, or over the names and digests of a folder's files."""
    digests = [digest_file(file, ["sha256"])["sha256"] for file in files]
    if path.is_file():
        return digests[0]
    lines = [f"{file.relative_to(path).as_posix()}\t{d}\n" for file, d in zip(files, digests)]
    return sha256("".join(lines).encode()).hexdigest()
