"""Whether a dataset is what its annotations say it is, with whatever is not, by id."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchsuite.errors import BenchsuiteError, DataMissingError, InputError
from benchsuite.inspection.annotation_checks import (
    Finding,
    boxes,
    keypoints,
    masks,
    panoptic,
    semantic,
)
from benchsuite.progress import progress
from benchsuite.protocols import PublishedDataset
from benchsuite.resolve import OpenedDataset, find_dataset, open_dataset

if TYPE_CHECKING:
    from benchsuite.protocols import Dataset
    from benchsuite.records import ImageRecord

PUBLISHED, CHANGED, UNKNOWN = "as published", "not as published", "unknown"
"""What can be said of an annotation file's hash."""

_MANY = 4


@dataclass(slots=True)
class Verification:
    """What was found.

    Attributes:
        source: the annotation file.
        annotations: ``PUBLISHED``, ``CHANGED`` or ``UNKNOWN``.
        n_images, n_annotations, n_categories: as the annotations say.
        images_were_checked: whether images were looked at; else only the annotations were.
        n_checked: images that could be decoded and are as annotated.
        problems: make the verification fail.
        notes: oddities of annotations that are as they were published; they do not.
    """

    title: str
    source: str = ""
    annotation_sha256: str = ""
    annotations: str = UNKNOWN
    n_images: int = 0
    n_annotations: int = 0
    n_categories: int = 0
    images_were_checked: bool = False
    n_checked: int = 0
    problems: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        def rows(findings: Sequence[Finding]) -> list[dict[str, str]]:
            return [{"record": each.record, "problem": each.problem} for each in findings]

        return {
            "dataset": self.title,
            "ok": self.ok,
            "source": self.source,
            "annotation_sha256": self.annotation_sha256,
            "annotations": self.annotations,
            "n_images": self.n_images,
            "n_annotations": self.n_annotations,
            "n_categories": self.n_categories,
            "images_were_checked": self.images_were_checked,
            "n_images_ok": self.n_checked,
            "problems": rows(self.problems),
            "notes": rows(self.notes),
        }


def verify_argument(
    argument: str,
    *,
    split: str | None = None,
    images: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Verification:
    """Verify a dataset by name, ``name/split`` or annotation file.

    The images of a file are checked where ``images`` says where they lie. A file that cannot be
    opened at all is a problem found, too.

    Raises:
        UsageError: no such dataset or split.
        DataMissingError: it is not there.
    """
    spec, chosen, file = find_dataset(argument, split)
    try:
        opened = open_dataset(argument, split=split, images=images, overrides=overrides)
    except InputError as error:
        title = argument if file is not None else f"{spec.name}/{chosen}"
        record = error.record or str(error.file or title)
        return Verification(title, problems=[Finding(record, error.problem)])
    return verify_dataset(opened, images=file is None or images is not None)


def verify_dataset(opened: OpenedDataset, *, images: bool = True) -> Verification:
    """Check annotations against themselves, and images against annotations.

    Args:
        images: whether to decode every image; without, only the annotations are checked.
    """
    dataset = opened.dataset
    records = dataset.images()
    found = Verification(
        opened.title,
        annotation_sha256=dataset.annotation_sha256,
        n_images=len(records),
        n_categories=len(dataset.categories),
        images_were_checked=images,
    )
    if isinstance(dataset, PublishedDataset):
        _compare_with_published(dataset, dataset, found)
    oddities = list(_annotation_findings(dataset, found))
    (found.notes if found.annotations == PUBLISHED else found.problems).extend(oddities)
    if images:
        found.problems.extend(_image_findings(dataset, records, found))
    return found


def _compare_with_published(
    dataset: Dataset, published: PublishedDataset, found: Verification
) -> None:
    expected = published.published_annotation_sha256
    if expected is not None:
        found.annotations = PUBLISHED if dataset.annotation_sha256 == expected else CHANGED
    if found.annotations == CHANGED:
        found.problems.append(
            Finding(
                "annotation file",
                f"its sha256 is {dataset.annotation_sha256}, the published one is {expected}",
            )
        )
    count = published.published_image_count
    if count is not None and found.n_images != count:
        found.problems.append(
            Finding("annotation file", f"lists {found.n_images} images, published were {count}")
        )


def _annotation_findings(dataset: Dataset, found: Verification) -> Iterator[Finding]:
    names = [record.file_name for record in dataset.images()]
    for record, name in zip(dataset.images(), names):
        if not name:
            yield Finding(f"image id {record.id}", "has no file name")
    for name in _twice(names):
        yield Finding(f"file name {name!r}", "is that of several images")
    yield from _category_findings(dataset)
    checks = {
        "bbox": boxes,
        "segm": masks,
        "keypoints": keypoints,
        "semantic": semantic,
        "panoptic": panoptic,
    }
    for task, check in checks.items():
        if task not in dataset.tasks:
            continue
        try:
            truth = dataset.truth(task)
        except InputError as error:
            yield Finding(error.record or f"truth for {task}", error.problem)
            continue
        found.source = found.source or truth.source
        found.n_annotations = max(found.n_annotations, truth.instances.num_rows)
        yield from check(truth)
    if not found.n_annotations and not {"semantic", "panoptic"} & set(dataset.tasks):
        yield Finding("annotations", "there are none: nothing to learn and nothing to find")


def _category_findings(dataset: Dataset) -> Iterator[Finding]:
    """Names that several categories have: models and datasets are matched by name."""
    for name in _twice([category.name for category in dataset.categories]):
        ids = [str(each.id) for each in dataset.categories if each.name == name]
        yield Finding(f"category ids {', '.join(ids)}", f"are all called {name!r}")


def _twice(names: Sequence[str]) -> list[str]:
    values, counts = np.unique(np.array([name for name in names if name]), return_counts=True)
    return [str(name) for name in values[counts > 1]]


def _image_findings(
    dataset: Dataset, records: Sequence[ImageRecord], found: Verification
) -> Iterator[Finding]:
    """Load every image; what a dataset says of one that cannot be loaded is the finding."""

    def problem_of(record: ImageRecord) -> BenchsuiteError | None:
        try:
            dataset.load(record)
        except BenchsuiteError as error:
            return error
        return None

    with (
        ThreadPoolExecutor(min(_MANY, os.cpu_count() or 1)) as workers,
        progress("checking images", len(records)) as shown,
    ):
        for record, error in zip(records, workers.map(problem_of, records)):
            shown.advance(1)
            if isinstance(error, DataMissingError):
                # It is not this image that is missing, but all of them.
                workers.shutdown(cancel_futures=True)
                yield Finding("images", str(error))
                return
            found.n_checked += error is None
            if error is not None:
                text = error.problem if isinstance(error, InputError) else str(error)
                yield Finding(f"image id {record.id} ({record.file_name})", text)
