"""Truth and predictions that lie in files: what ``benchsuite eval`` holds against each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.columns.sources import read_counted_predictions, truth_warnings
from benchsuite.errors import DataMissingError, UsageError
from benchsuite.files.digests import digest_file
from benchsuite.resolve import OpenedDataset, open_dataset
from benchsuite.scoring import serves, truth_of

if TYPE_CHECKING:
    from benchsuite.evaluation import EvalRequest
    from benchsuite.protocols import Predictions, Truth
    from benchsuite.records import ImageRecord
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
    if request.predictions is None or request.dataset is None:
        raise UsageError("--dataset and --predictions say what is held against what")
    if not request.predictions.exists():
        raise DataMissingError(f"there are no predictions {request.predictions}")
    return _of_dataset(request, request.dataset, request.predictions, tell)


def _of_dataset(
    request: EvalRequest, dataset: str, path: Path, tell: Callable[[str], None]
) -> Evaluated:
    task = scored_task(request)
    opened = open_dataset(
        dataset,
        split=request.split,
        tasks=(task,),
        overrides=request.overrides.get("dataset"),
    )
    _check_serves(opened, task)
    images, categories = opened.dataset.images(), opened.dataset.categories
    files = _files(path)
    size = sum(file.stat().st_size for file in files)
    tell(f"reading {path} ({size / 1e6:.1f} MB)")
    truth = truth_of(opened.dataset, task)
    read = read_counted_predictions(path, images, categories, task, lenient=request.lenient)
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
        n_predictions=read.predictions.instances.num_rows,
        n_dropped=read.dropped,
        warnings=(*truth_warnings(truth), *(f"{path}: {each}" for each in read.let_pass)),
    )


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
