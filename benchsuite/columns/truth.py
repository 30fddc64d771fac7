"""Ground truth as columns, from COCO-like records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy
from benchsuite.columns.federated_annotation import federated_columns, frequencies
from benchsuite.columns.image_attributes import attribute_columns
from benchsuite.columns.record_checks import CheckedRecords
from benchsuite.columns.record_list import RecordList
from benchsuite.columns.tables import (
    box_array,
    filled_table,
    image_columns,
    image_sizes,
    rotated_box_array,
)
from benchsuite.protocols import Truth
from benchsuite.records import ImageRecord
from benchsuite.schemas import MASK_SHAPES, TRUTH_IMAGES, TRUTH_INSTANCES
from benchsuite.specs import Category, KeypointLayout


def build_truth(
    images: Sequence[ImageRecord | Mapping[str, Any]],
    annotations: Sequence[Mapping[str, Any]],
    categories: Sequence[Category | Mapping[str, Any]],
    *,
    keypoints: KeypointLayout | None = None,
    source: str = "",
) -> Truth:
    """Ground truth of plain records, as a COCO annotation file holds them.

    Args:
        images: image records, or objects with ``id``, ``width``, ``height`` and, optionally,
            ``file_name`` (or ``coco_url``, see ``image_names``), ``neg_category_ids``,
            ``not_exhaustive_category_ids`` and ``crowdIndex``.
        annotations: objects with ``id``, ``image_id``, ``category_id``, ``bbox`` (x, y, width,
            height, in pixels) and, optionally, ``area``, ``iscrowd``, ``segmentation`` (polygons or
            RLE), ``keypoints`` (x, y, visibility of each), ``num_keypoints`` and ``ignore`` (which
            becomes ``difficult``). They are numbered from 1 where none has an ``id``.
        categories: categories, or objects with ``id``, ``name`` and, optionally, ``isthing``,
            ``supercategory`` and ``frequency``.
        keypoints: the layout of the keypoints, where there are any.
        source: what messages call the place that the records are from.

    Returns:
        Truth for all tasks that the annotations serve.

    Raises:
        InputError: a record lacks a field, holds something else than the field means, or refers to
            an image or category that is not there.
    """
    columns = TruthColumns(images, annotations, categories, source=source)
    return columns.truth(None, keypoints)


class TruthColumns:
    """The content of a COCO annotation file, as columns that any task's truth is made of.

    Missing fields: ``iscrowd`` counts as 0; ``num_keypoints`` is the number of keypoints with a
    visibility above 0; ``area`` is the mask's, or where there is none the box's, except for
    keypoints, whose protocol measures distances by it.

    Args:
        images, annotations, categories, source: see ``build_truth``.
        named_by: the field that says where an image lies; see ``image_names``.
        box_share: how much of its box an object with keypoints covers that has no ``area``;
            ``None``: its keypoints cannot be scored.

    Attributes:
        image_records: by ascending id, the order that COCO's protocol evaluates in.
        categories: in file order.
        source: what messages call the file.
        keypoint_count: keypoints of an annotation, by the first that has any; 0: none has.
    """

    def __init__(
        self,
        images: Sequence[ImageRecord | Mapping[str, Any]],
        annotations: Sequence[Mapping[str, Any]] | CheckedRecords,
        categories: Sequence[Category | Mapping[str, Any]],
        *,
        source: str = "",
        named_by: str = "file_name",
        box_share: float | None = None,
    ) -> None:
        self.source, self._box_share = source, box_share
        image_list = _image_list(images, source or None)
        order = np.argsort(image_list.unique_ids())
        self.image_records = _image_records(image_list, order, named_by)
        self._of_images = {
            **federated_columns(image_list, order),
            **attribute_columns(image_list, order),
        }
        self.categories = read_categories(categories, source or None)

        records = annotations
        if not isinstance(records, CheckedRecords):
            records = RecordList(records, name="annotations", file=source or None)
        self._names = records.names
        self._ids = _annotation_ids(records)
        self._image_ids = records.integers("image_id")
        self._category_ids = records.integers("category_id")
        self._boxes, self._has_box = records.boxes("bbox")
        self._rotated, self._has_rotated = records.rotated_boxes()
        self._areas, self._has_area = records.numbers("area")
        self._iscrowd = records.flags("iscrowd", default=False)
        self._difficult = records.flags("ignore", default=False)
        self._segmentations, self._keypoints = records.segmentations(), records.keypoints()
        self._visible = records.integers("num_keypoints", default=-1)
        self.keypoint_count = self._keypoints.count
        image_ids = np.array([record.id for record in self.image_records], np.int64)
        self._image_rows = records.referred("image_id", self._image_ids, image_ids, "images")
        category_ids = np.array([category.id for category in self.categories], np.int64)
        records.referred("category_id", self._category_ids, category_ids, "categories")

    @property
    def has_segmentations(self) -> bool:
        return bool(self._segmentations.present.any())

    @property
    def has_rotated_boxes(self) -> bool:
        return bool(self._has_rotated.any())

    def truth(self, task: str | None, keypoints: KeypointLayout | None = None) -> Truth:
        """Truth for one of ``bbox``, ``segm``, ``keypoints`` and ``rotated``, or (``None``) all.

        Raises:
            InputError: an annotation lacks what the task needs.
        """
        field, present = (
            ("segmentation", self._segmentations.present)
            if task == "segm"
            else ("bbox", self._has_box)
        )
        if task == "rotated":
            present = present | self._has_rotated
        if task is not None and not present.all():
            raise self._names.missing(present, field, f", which {task} is scored by")
        sizes = image_sizes(self.image_records)[self._image_rows]
        masks = None
        if task in (None, "segm") and self.has_segmentations:
            masks = self._segmentations.encode(sizes)
        points = None
        if task in (None, "keypoints") and self.keypoint_count:
            points = self._keypoints.checked(None if keypoints is None else len(keypoints.names))
        columns = {
            "annotation_id": from_numpy(self._ids),
            "image_id": from_numpy(self._image_ids),
            "category_id": from_numpy(self._category_ids),
            "bbox": box_array(self._boxes, self._has_box),
            "area": from_numpy(self._filled_areas(task, sizes)),
            "iscrowd": from_numpy(self._iscrowd),
            "segmentation": None if masks is None else masks.column(sizes),
            "keypoints": points,
            "rotated_box": rotated_box_array(self._rotated, self._has_rotated),
            "difficult": from_numpy(self._difficult) if self._difficult.any() else None,
            "num_keypoints": None if points is None else self._keypoints.visible(self._visible),
        }
        return Truth(
            images=self._image_table,
            instances=filled_table(columns, TRUTH_INSTANCES, len(self._ids)),
            categories=self.categories,
            keypoints=keypoints,
            source=self.source,
        )

    def mask_shapes(self) -> pa.Table:
        """``schemas.MASK_SHAPES``, a row for each row of ``truth``'s instances.

        Raises:
            InputError: a segmentation is malformed or of another size than its image.
        """
        sizes = image_sizes(self.image_records)[self._image_rows]
        rows = np.flatnonzero(~self._segmentations.outlined)
        columns = {
            "polygons": self._segmentations.polygons(),
            "segmentation": self._segmentations.encode(sizes, rows).column(sizes),
        }
        return filled_table(columns, MASK_SHAPES, len(self._ids))

    @cached_property
    def _image_table(self) -> pa.Table:
        columns = {**image_columns(self.image_records), **self._of_images}
        return filled_table(columns, TRUTH_IMAGES, len(self.image_records))

    def _filled_areas(self, task: str | None, sizes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Areas, those that the file lacks computed."""
        missing = np.flatnonzero(~self._has_area)
        if not len(missing):
            return self._areas
        turned = self._has_rotated[:, None]
        sides = np.where(turned, self._rotated[:, 2:4], self._boxes[:, 2:])
        areas = np.where(self._has_area, self._areas, sides[:, 0] * sides[:, 1])
        masked = missing[self._segmentations.present[missing]]
        areas[masked] = self._segmentations.encode(sizes, masked).areas()[masked]
        unknown = missing[~self._segmentations.present[missing]]
        if task in (None, "keypoints"):
            scored = unknown[self._keypoints.present[unknown]]
            if self._box_share is not None:
                areas[scored] *= self._box_share
            elif len(scored):
                raise self._names.error(
                    scored[0],
                    "the field 'area' is missing, which the distance of keypoints is measured by",
                )
        without_box = unknown[~(self._has_box | self._has_rotated)[unknown]]
        if len(without_box):
            raise self._names.error(without_box[0], "the fields 'area' and 'bbox' are missing")
        return areas


def _annotation_ids(records: CheckedRecords) -> NDArray[np.int64]:
    if len(records) and not records.has("id").any():
        return np.arange(1, len(records) + 1)
    return records.unique_ids()


def _image_list(
    images: Sequence[ImageRecord | Mapping[str, Any]], file: object | None
) -> RecordList:
    fields = ("id", "file_name", "width", "height")
    return RecordList(_as_objects(images, ImageRecord, fields), name="images", file=file)


def _image_records(
    records: RecordList, order: NDArray[np.int64], named_by: str
) -> tuple[ImageRecord, ...]:
    """Image records in the order given."""
    columns = [records.integers("id"), records.sides("width"), records.sides("height")]
    ids, widths, heights = (column[order].tolist() for column in columns)
    names = image_names(records, named_by)
    named = [names[row] for row in order.tolist()]
    return tuple(map(ImageRecord, ids, named, widths, heights))


def read_images(
    images: Sequence[ImageRecord | Mapping[str, Any]], file: object | None
) -> tuple[ImageRecord, ...]:
    """Image records by ascending id; see ``build_truth``."""
    records = _image_list(images, file)
    return _image_records(records, np.argsort(records.unique_ids()), "file_name")


def image_names(records: RecordList, named_by: str = "file_name") -> list[str]:
    """Where each image lies, relative to the image folder; empty where nothing says it.

    Args:
        named_by: ``"file_name"``, or ``"coco_url"``: of the URL the last folder and the name
            (``"val2017/000000397133.jpg"``), which is how LVIS says where COCO's images are. Where
            no record has the one, the other serves.
    """
    fields = dict.fromkeys((named_by, "file_name", "coco_url"))
    for field in fields:
        names = records.texts(field, default="")
        if any(names):
            return names if field == "file_name" else ["/".join(n.split("/")[-2:]) for n in names]
    return [""] * len(records)


def _as_objects(
    items: Sequence[Any], record: type, fields: Sequence[str]
) -> Sequence[Mapping[str, Any]]:
    """The items, of which those that are records become objects of these fields."""
    if record not in set(map(type, items)):
        return items
    return [
        {field: getattr(item, field) for field in fields} if isinstance(item, record) else item
        for item in items
    ]


def read_categories(
    categories: Sequence[Category | Mapping[str, Any]], file: object | None
) -> tuple[Category, ...]:
    """Categories in file order; see ``build_truth``."""
    fields = ("id", "name", "isthing", "supercategory", "frequency")
    objects = _as_objects(categories, Category, fields)
    records = RecordList(objects, name="categories", file=file)
    columns = zip(
        records.unique_ids().tolist(),
        records.texts("name"),
        records.flags("isthing", default=True).tolist(),
        records.texts("supercategory", default=""),
        frequencies(records),
    )
    return tuple(Category(*row) for row in columns)
