"""What a dataset holds that a model can learn: its truth as columns, labelled as the model labels.

Detectron2's rules: crowds are no instances; boxes with a side below 1e-5 pixels are none; corners
are added in float32; a keypoint's pixel is its centre (+0.5).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.categories import map_categories
from benchsuite.columns.arrow_arrays import binary_to_numpy, lists_to_numpy, to_numpy
from benchsuite.errors import UsageError
from benchsuite.protocols import Dataset, OutlinedDataset, Truth
from benchsuite.resolve import OpenedDataset
from benchsuite.specs import Category
from benchsuite.training.data.defects import Defect, boxes_without_area, extents_outside
from benchsuite.training.data.instance_columns import InstanceColumns
from benchsuite.training.data.mask_column import MaskColumn, segmentation_shapes
from benchsuite.training.data.ragged import Ragged
from benchsuite.training.data.semantic_column import SemanticColumn
from benchsuite_kernels.columns import rle_batch

INSTANCE_TASKS = ("bbox", "segm", "keypoints", "proposals")
SEMANTIC_TASKS = ("semantic", "panoptic")

CROWDS, OTHER_CATEGORIES = "crowds", "instances of categories that the model has not"


@dataclass(frozen=True, slots=True, eq=False)
class TrainingTruth:
    """The truth of I images.

    Attributes:
        ids, widths, heights: (I,) int64.
        names: file names.
        instances: those that can be learnt, or ``None`` for a model that learns none.
        semantic: maps, or ``None`` for a model that learns none.
        defects: what was left out because something is wrong with it.
        left_out: what was left out because the rules say so, and how many of it.
        source: the annotation file, for messages.
    """

    ids: NDArray[np.int64]
    widths: NDArray[np.int64]
    heights: NDArray[np.int64]
    names: Ragged
    instances: InstanceColumns | None
    semantic: SemanticColumn | None
    defects: tuple[Defect, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    source: str = ""

    def take(self, images: NDArray[np.integer[Any]], left_out: Mapping[str, int]) -> TrainingTruth:
        """The truth of some images; ``left_out`` is added."""
        return TrainingTruth(
            self.ids[images],
            self.widths[images],
            self.heights[images],
            self.names.take(images),
            None if self.instances is None else self.instances.of_images(images),
            None if self.semantic is None else self.semantic.take(images),
            self.defects,
            {**self.left_out, **left_out},
            self.source,
        )


def read_training_truth(
    opened: OpenedDataset, categories: Sequence[Category], tasks: Collection[str]
) -> TrainingTruth:
    """The truth of all images of a dataset.

    Args:
        categories: the model's; the dataset's are found among them by name.
        tasks: what the model learns.

    Raises:
        UsageError: the dataset has no truth for a task.
        InputError: its truth is malformed, or has no category in common with the model.
    """
    dataset = opened.dataset
    _require(opened, tasks)
    learns_instances = bool(set(tasks) & set(INSTANCE_TASKS))
    semantic = _semantic_truth(dataset, categories) if set(tasks) & set(SEMANTIC_TASKS) else None
    kind = "keypoints" if "keypoints" in tasks else "bbox"
    truth = dataset.truth(kind) if learns_instances else semantic
    if truth is None:
        raise UsageError(f"nothing is learnt of {', '.join(tasks)}: no model is trained for that")
    images = truth.images
    widths, heights = (to_numpy(images[side]).astype(np.int64) for side in ("width", "height"))
    ids = to_numpy(images["image_id"])
    instances, defects, left_out = None, [], {}
    if learns_instances:
        label_of = _label_of(categories, truth.categories, tasks)
        defects += _name_clashes(truth.categories)
        read = _Instances(dataset, truth, ids, widths, heights, label_of, tasks)
        instances, left_out = read.columns, read.left_out
        defects += read.defects
    return TrainingTruth(
        ids,
        widths,
        heights,
        Ragged(*binary_to_numpy(images["file_name"])),
        instances,
        None if semantic is None else _semantic_column(semantic, categories, ids),
        tuple(defects),
        left_out,
        truth.source,
    )


def _require(opened: OpenedDataset, tasks: Collection[str]) -> None:
    """Check that the dataset has what the model learns."""
    served = opened.dataset.tasks
    needed = [task for task in tasks if task in ("bbox", "segm", "keypoints")]
    needed += ["bbox"] if {"proposals", "segm"} & set(tasks) else []
    lacking = [task for task in dict.fromkeys(needed) if task not in served]
    if set(tasks) & set(SEMANTIC_TASKS) and not set(served) & set(SEMANTIC_TASKS):
        lacking.append("semantic")
    if lacking:
        raise UsageError(
            f"the model learns {', '.join(tasks)}, but {opened.title} has no truth for "
            f"{', '.join(lacking)}; it has truth for {', '.join(served)}"
        )


def _label_of(
    categories: Sequence[Category], dataset: Sequence[Category], tasks: Collection[str]
) -> dict[int, int]:
    """Category id to label. A model of proposals alone tells no categories apart."""
    if set(tasks) == {"proposals"}:
        return {category.id: 0 for category in dataset}
    ids = map_categories(categories, dataset).category_ids
    return {category: label for label, category in enumerate(ids) if category is not None}


def _name_clashes(categories: Sequence[Category]) -> list[Defect]:
    """Categories of one name: a model could not tell which of them it is to learn."""
    names = [category.name for category in categories]
    same = [category.id for category in categories if names.count(category.name) > 1]
    if not same:
        return []
    return [Defect("categories of the same name", "category", np.array(same, np.int64))]


# --- instances --------------------------------------------------------------------------------


class _Instances:
    """The instances of a dataset as columns, those that cannot be learnt left out.

    Attributes:
        columns: what is left.
        defects, left_out: see ``TrainingTruth``.
    """

    def __init__(
        self,
        dataset: Dataset,
        truth: Truth,
        image_ids: NDArray[np.int64],
        widths: NDArray[np.int64],
        heights: NDArray[np.int64],
        label_of: Mapping[int, int],
        tasks: Collection[str],
    ) -> None:
        table = truth.instances
        image = _places(to_numpy(table["image_id"]), image_ids)
        order = np.argsort(image, kind="stable")
        crowd = to_numpy(table["iscrowd"])[order]
        ids, boxes = to_numpy(table["annotation_id"])[order], to_numpy(table["bbox"])[order]
        labels = _labels(to_numpy(table["category_id"]), label_of)[order]
        counts = np.bincount(image, minlength=len(image_ids))
        sides = boxes.astype(np.float32)
        whole = InstanceColumns(
            np.concatenate([[0], np.cumsum(counts)]),
            ids,
            np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1),
            labels,
            _masks(dataset).take(order) if "segm" in tasks else None,
            _keypoints(table["keypoints"])[order] if "keypoints" in tasks else None,
        )
        wanted = ~crowd & (labels >= 0)
        self.left_out = {
            CROWDS: int(crowd.sum()),
            OTHER_CATEGORIES: int((~crowd & (labels < 0)).sum()),
        }
        wrong = {"boxes without area": boxes_without_area(boxes)}
        if whole.masks is not None:
            of = image[order]
            wrong |= _wrong_masks(whole.masks, widths[of], heights[of])
        self.defects: list[Defect] = []
        for kind, at in wrong.items():
            if (found := wanted & at).any():
                self.defects.append(Defect(kind, "annotation", ids[found]))
                wanted &= ~at
        self.columns = whole.take(np.flatnonzero(wanted), len(image_ids))


def _places(values: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.intp]:
    """Where each value stands in ``among``, which has all of them once."""
    order = np.argsort(among)
    return order[np.searchsorted(among, values, sorter=order)]


def _labels(category_ids: NDArray[np.int64], label_of: Mapping[int, int]) -> NDArray[np.int64]:
    """The label of each category id, -1 where the model has none."""
    known, places = np.unique(category_ids, return_inverse=True)
    labels = np.array([label_of.get(category, -1) for category in known.tolist()], np.int64)
    return labels[places.reshape(-1)]


def _masks(dataset: Dataset) -> MaskColumn:
    if isinstance(dataset, OutlinedDataset):
        return MaskColumn.of(dataset.mask_shapes())
    return MaskColumn.of(segmentation_shapes(dataset.truth("segm").instances["segmentation"]))


def _wrong_masks(
    masks: MaskColumn, widths: NDArray[np.int64], heights: NDArray[np.int64]
) -> dict[str, NDArray[np.bool_]]:
    encoded = masks.counts.lengths > 0
    outlined = ~encoded & (masks.pieces.lengths > 0)
    empty = np.zeros(len(encoded), np.bool_)
    offsets = np.append(masks.counts.offsets[:-1][encoded], masks.counts.offsets[-1])
    empty[encoded] = rle_batch.areas(masks.counts.values, offsets) == 0
    return {
        "instances without mask": ~encoded & ~outlined,
        "masks without a pixel": empty,
        "masks outside of their image": outlined
        & extents_outside(masks.extents(), widths, heights),
    }


def _keypoints(column: pa.ChunkedArray[Any]) -> NDArray[np.float32]:
    """(N, K, 3) as in ``Target``; zeros where an instance has none."""
    values, offsets = lists_to_numpy(column)
    lengths = np.diff(offsets)
    count = int(lengths.max(initial=0)) // 3
    found = np.zeros((len(lengths), count, 3))
    found[lengths > 0] = values.reshape(-1, count, 3)
    found[lengths > 0, :, :2] += 0.5
    return found.astype(np.float32)


# --- semantic maps ----------------------------------------------------------------------------


def _semantic_truth(dataset: Dataset, categories: Sequence[Category]) -> Truth:
    """The truth whose categories are the model's: panoptic maps tell every kind of thing apart,
    semantic ones may have all things as one category."""
    truths = [dataset.truth(task) for task in ("panoptic", "semantic") if task in dataset.tasks]
    return min(truths, key=lambda truth: _unlike(categories, truth.categories))


def _unlike(model: Sequence[Category], dataset: Sequence[Category]) -> int:
    """How many categories of the dataset the model has not."""
    names = {category.name for category in model}
    return sum(category.name not in names for category in dataset)


def _semantic_column(
    truth: Truth, categories: Sequence[Category], image_ids: NDArray[np.int64]
) -> SemanticColumn | None:
    label_of = _label_of(categories, truth.categories, SEMANTIC_TASKS)
    column = SemanticColumn.of(truth.images, label_of)
    if column is None:
        return None
    return column.take(_places(image_ids, to_numpy(truth.images["image_id"])))
