"""A dataset as a model is trained on it: examples by index."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.errors import InputError
from benchsuite.protocols import Dataset, ImageSource, ImageSourceDataset, PublishedDataset
from benchsuite.records import ImageRecord
from benchsuite.resolve import OpenedDataset
from benchsuite.specs import Category
from benchsuite.targets import Target
from benchsuite.training.data.defects import Defect, refuse
from benchsuite.training.data.example import Example
from benchsuite.training.data.training_truth import TrainingTruth, read_training_truth
from benchsuite.training.options import DataOptions

EMPTY_IMAGES = "images without anything to learn"
UNPOSED_IMAGES = "images with too few labelled keypoints"
UNMAPPED_IMAGES = "images without a semantic map"


class TrainingSet:
    """The images of a dataset that a model learns from, in the dataset's order.

    Truth is held in arrays, not in objects: pickled with out-of-band buffers, what a process is
    given beside them is small however many annotations there are (see ``shared_object``).

    Args:
        opened: the dataset.
        categories: the model's; labels are places among them. The dataset's are found by name, and
            instances of others are left out.
        tasks: what the model learns: they decide which fields of ``Target`` are filled.
        options: ``filter_empty``, ``min_keypoints_per_image`` and ``drop_invalid`` of a recipe.
            Annotations that are as their publisher made them are taken as they are: what cannot be
            learnt of them is left out.
        proposals: (P, 4) float32 of an image, best first, for a model that does not find regions
            itself.

    Attributes:
        dropped: what was left out, and how many of it.

    Raises:
        UsageError: the dataset has no truth for a task.
        InputError: something is wrong with its truth, or nothing of it is left.
    """

    def __init__(
        self,
        opened: OpenedDataset,
        categories: Sequence[Category],
        *,
        tasks: Collection[str],
        options: DataOptions | None = None,
        proposals: Callable[[ImageRecord], NDArray[np.float32]] | None = None,
    ) -> None:
        dataset, options = opened.dataset, options or DataOptions()
        truth = read_training_truth(opened, categories, tasks)
        asked = f"{truth.source} --images DIR" if opened.given_as_file else opened.title
        if not (options.drop_invalid or _as_published(opened)):
            refuse(truth.defects, file=truth.source, dataset=asked)
        self._truth = _learnable(truth, options)
        self._source: ImageSource | Dataset = dataset
        defects = truth.defects
        if isinstance(dataset, ImageSourceDataset):
            self._source = source = dataset.image_source()
            there = np.array([source.path(record).is_file() for record in self.records()], np.bool_)
            if not there.all():
                absent = Defect("images that are not there", "image", self.image_ids[~there])
                if not options.drop_invalid:
                    refuse([absent], file=truth.source, dataset=asked)
                defects += (absent,)
                self._truth = self._truth.take(np.flatnonzero(there), {})
        self._proposals = proposals
        counts = {**self._truth.left_out, **{each.kind: len(each) for each in defects}}
        self.dropped: Mapping[str, int] = {kind: n for kind, n in counts.items() if n}
        if not len(self):
            left_out = ", ".join(f"{count} {kind}" for kind, count in self.dropped.items())
            raise InputError(
                f"holds nothing to learn: of {len(truth.ids)} images none is left"
                + (f" ({left_out})" if left_out else ""),
                file=truth.source or opened.title,
                remedy="Give annotations of the model's categories",
            )

    def __len__(self) -> int:
        return len(self._truth.ids)

    @property
    def image_ids(self) -> NDArray[np.int64]:
        """(I,)."""
        return self._truth.ids

    @property
    def widths(self) -> NDArray[np.int64]:
        """(I,) pixels."""
        return self._truth.widths

    @property
    def heights(self) -> NDArray[np.int64]:
        """(I,) pixels."""
        return self._truth.heights

    def image_labels(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which labels occur in which images: image and label of each such pair, once."""
        instances = self._truth.instances
        if instances is None:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        pairs = np.unique(np.stack([instances.images(), instances.labels]), axis=1)
        return pairs[0], pairs[1]

    def siblings(self, index: int) -> range:
        """Which examples are of the same dataset as this one: all."""
        return range(len(self))

    def records(self) -> Iterator[ImageRecord]:
        """Which images the examples are of, in order."""
        return map(self.record, range(len(self)))

    def record(self, index: int) -> ImageRecord:
        """Which image an example is of."""
        truth = self._truth
        sides = int(truth.widths[index]), int(truth.heights[index])
        return ImageRecord(int(truth.ids[index]), truth.names.text(index), *sides)

    def example(self, index: int) -> Example:
        """An image, decoded, and its truth.

        Raises:
            InputError: the image or its map is not there or cannot be read.
        """
        record = self.record(index)
        return Example(self._source.load(record), self._target(index, record))

    def _target(self, index: int, record: ImageRecord) -> Target:
        fields: dict[str, Any] = {}
        truth, size = self._truth, (record.height, record.width)
        if truth.instances is not None:
            columns, rows = truth.instances, truth.instances.rows(index)
            fields = {"boxes": columns.boxes[rows].copy(), "labels": columns.labels[rows].copy()}
            if columns.masks is not None:
                places = range(rows.start, rows.stop)
                fields["masks"] = [columns.masks.mask(row, size) for row in places]
            if columns.keypoints is not None:
                fields["keypoints"] = columns.keypoints[rows].copy()
        if truth.semantic is not None:
            name = f"image id {record.id} ({record.file_name})"
            fields["semantic"] = truth.semantic.read(index, name)
        if self._proposals is not None:
            fields["proposals"] = self._proposals(record)
        return Target(**fields)


def _as_published(opened: OpenedDataset) -> bool:
    dataset = opened.dataset
    if not isinstance(dataset, PublishedDataset):
        return False
    published = dataset.published_annotation_sha256
    return published is not None and dataset.annotation_sha256 == published


def _learnable(truth: TrainingTruth, options: DataOptions) -> TrainingTruth:
    """The truth of the images that have something to learn."""
    kept = np.ones(len(truth.ids), np.bool_)
    left_out = {}
    if truth.semantic is not None:
        mapped = truth.semantic.present()
        left_out[UNMAPPED_IMAGES] = int((~mapped).sum())
        kept &= mapped
    instances = truth.instances
    if instances is not None and options.filter_empty:
        some = np.diff(instances.starts) > 0
        left_out[EMPTY_IMAGES] = int((kept & ~some).sum())
        kept &= some
    if instances is not None and instances.keypoints is not None:
        labelled = (instances.keypoints[:, :, 2] > 0).sum(axis=1)
        counts = np.bincount(instances.images(), labelled, minlength=len(kept))
        posed = counts >= options.min_keypoints_per_image
        left_out[UNPOSED_IMAGES] = int((kept & ~posed).sum())
        kept &= posed
    return truth.take(np.flatnonzero(kept), left_out)
