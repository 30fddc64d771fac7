"""Labels and detections from one format to another, with what is lost told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from benchsuite.errors import BenchsuiteError, DataMissingError, UsageError, unknown_name
from benchsuite.files.durable import remove_tree
from benchsuite.formats import find_format, read_predictions, read_truth, recognise
from benchsuite.progress import ShowsProgress, no_progress
from benchsuite.protocols import PredictionsRequest, TruthRequest, WriteRequest
from benchsuite.resolve import open_dataset, use
from benchsuite.specs import TASKS, Category, FormatSpec

if TYPE_CHECKING:
    from benchsuite.protocols import Predictions, Truth


@dataclass(frozen=True, slots=True)
class ConvertRequest:
    """What ``benchsuite data convert`` was asked for.

    Attributes:
        source, target: files or folders.
        to: name of the target's format.
        from_: name of the source's; ``None``: the one it looks like.
        images: the folder of the images, where the source's format needs their sizes.
        split: which part of the source; also what the target calls it.
        names: a file of class names, one a line, for a source that does not say them.
        dataset: the dataset that the source holds predictions for; ``None``: it holds truth.
        task: what the target shall hold, where it can hold one thing alone (YOLO: boxes, or for
            ``segm`` outlines).
        force: whether files that are there may be replaced.
    """

    source: Path
    target: Path
    to: str
    from_: str | None = None
    images: Path | None = None
    split: str | None = None
    names: Path | None = None
    dataset: str | None = None
    task: str = ""
    force: bool = False
    progress: ShowsProgress = no_progress


@dataclass(frozen=True, slots=True)
class Converted:
    """What was converted.

    Attributes:
        lost: what the target's format could not hold, and how many of it there were.
    """

    source_format: str
    target_format: str
    target: Path
    n_images: int
    n_instances: int
    lost: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "source_format": self.source_format,
            "target_format": self.target_format,
            "target": str(self.target),
            "n_images": self.n_images,
            "n_instances": self.n_instances,
            "lost": dict(self.lost),
        }


def convert(request: ConvertRequest) -> Converted:
    """Convert truth, or predictions for a dataset. The target is there whole or not at all.

    Raises:
        UsageError: a format or task is not known, a format cannot be told, or the target is there
            already.
        DataMissingError: the source, or something that it needs, is not there.
        InputError: the source is malformed, or the target's format cannot name what it holds.
    """
    if request.task and request.task not in TASKS:
        raise unknown_name("task", request.task, TASKS)
    target = request.target
    occupied = target.is_file() or (target.is_dir() and any(target.iterdir()))
    if occupied and not request.force:
        raise UsageError(f"{target} is there already; --force replaces what it has in common")
    if not target.absolute().parent.is_dir():
        raise DataMissingError(f"there is no folder {target.absolute().parent} to write into")
    return _predictions(request) if request.dataset is not None else _truth(request)


def _truth(request: ConvertRequest) -> Converted:
    writer = find_format(request.to, "write_truth")
    source = request.from_ or recognise(request.source, "read_truth").name
    truth = read_truth(
        TruthRequest(
            request.source,
            images=request.images,
            split=request.split,
            categories=_named_categories(request.names),
            progress=request.progress,
        ),
        source,
    )
    order = _order(request, truth.categories, request.split)
    lost = _write(request.target, writer, str(writer.write_truth), truth, order)
    return Converted(
        source, writer.name, request.target, len(truth.images), len(truth.instances), lost
    )


def _predictions(request: ConvertRequest) -> Converted:
    writer = find_format(request.to, "write_predictions")
    source = request.from_ or recognise(request.source, "read_predictions").name
    opened = open_dataset(str(request.dataset), split=request.split, images=request.images)
    categories = tuple(opened.dataset.categories)
    predictions = read_predictions(
        PredictionsRequest(
            request.source,
            images=opened.dataset.images(),
            categories=categories,
            progress=request.progress,
        ),
        source,
    )
    split = None if opened.given_as_file else opened.split
    order = _order(request, categories, request.split or split)
    lost = _write(request.target, writer, str(writer.write_predictions), predictions, order)
    images, instances = predictions.images, predictions.instances
    return Converted(source, writer.name, request.target, len(images), len(instances), lost)


def _order(
    request: ConvertRequest, categories: tuple[Category, ...], split: str | None
) -> WriteRequest:
    """What the writer is given: a place beside the target."""
    target = request.target
    return WriteRequest(
        target.with_name(f".{target.name}.{token_hex(8)}.partial"),
        categories=categories,
        split=split or "val",
        task=request.task,
        progress=request.progress,
    )


def _write(
    target: Path,
    writer: FormatSpec,
    function: str,
    content: Truth | Predictions,
    order: WriteRequest,
) -> Mapping[str, int]:
    """Write beside the target, then put what was written in its place."""
    staged = order.path
    try:
        lost: Mapping[str, int] = use(function, f"format {writer.name!r}")(content, order)
        _put(staged, target)
    except OSError as error:
        raise BenchsuiteError(f"{target} cannot be written: {error}") from error
    finally:
        if staged.is_dir():
            remove_tree(staged)
        staged.unlink(missing_ok=True)
    return lost


def _put(staged: Path, target: Path) -> None:
    """Move a file, or every file of a folder, to where the target is; others there stay."""
    if not staged.is_dir() or not target.exists():
        staged.replace(target)
        return
    for file in sorted(path for path in staged.rglob("*") if path.is_file()):
        place = target / file.relative_to(staged)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)


def _named_categories(names: Path | None) -> tuple[Category, ...]:
    """Categories of a file of class names, with ids from 1."""
    if names is None:
        return ()
    try:
        lines = names.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataMissingError(f"there is no file of class names {names}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{names} is no file of class names: {error}") from error
    found = [line.strip() for line in lines if line.strip()]
    if not found or len(set(found)) != len(found):
        raise UsageError(f"{names} holds {'a class name twice' if found else 'no class name'}")
    return tuple(Category(number, name) for number, name in enumerate(found, start=1))
