"""Predictions of detection records, whatever they were read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy
from benchsuite.columns.ids import places as places_among
from benchsuite.columns.image_columns import ImageColumns
from benchsuite.columns.let_pass import LetPass
from benchsuite.columns.record_checks import CheckedRecords
from benchsuite.columns.tables import box_array, filled_table, rotated_box_array
from benchsuite.protocols import Predictions
from benchsuite.schemas import PREDICTION_IMAGES, PREDICTION_INSTANCES
from benchsuite.specs import Category

FIELDS = {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints", "proposals": "bbox"}
"""Task to the field that a detection is scored by, of tasks that COCO results files are for."""

SHAPES = ("bbox", "segmentation", "keypoints")
"""The fields that say where a detection lies, the one that decides its area first."""


@dataclass(frozen=True, slots=True)
class ReadPredictions:
    """Predictions, and what was let pass.

    Attributes:
        predictions: in file order, ``prediction`` being the place in the file.
        let_pass: what a strict reading would have refused; empty after a strict one.
        sha256: of what they were read from, as hexadecimal digits.
    """

    predictions: Predictions
    let_pass: tuple[LetPass, ...] = ()
    sha256: str = ""

    @property
    def dropped(self) -> int:
        """How many records were left out."""
        return sum(each.count for each in self.let_pass if each.dropped)


def predictions_of_records(
    records: CheckedRecords,
    images: ImageColumns,
    categories: Sequence[Category],
    task: str,
    *,
    places: NDArray[np.int64] | None = None,
    extra: pa.Array[Any] | None = None,
    rotated: pa.Array[Any] | pa.ChunkedArray[Any] | None = None,
    source: str = "",
    lenient: bool = False,
) -> ReadPredictions:
    """Predictions of records with ``image_id``, ``category_id``, ``score`` and the task's field.

    Where the first record has no ``bbox``, the task ``bbox`` takes masks or keypoints in its place,
    as pycocotools does. Categories are not looked at for ``proposals``.

    Args:
        records: the detections, in file order.
        images: all images of the dataset; each gets a row in ``Predictions.images``.
        categories: all categories of the dataset.
        task: one of ``FIELDS``; of another, no field is asked for.
        places: (N,), the column ``prediction``; ``None``: the rows are in file order.
        extra, rotated: the columns ``extra`` and ``rotated_box`` (``None``: of boxes that have an
            angle).
        source: what messages call the file.
        lenient: let pass what pycocotools scores all the same: detections of unknown categories,
            which it leaves out, scores that are not finite, boxes of negative width or height; and
            leave out those of unknown images, for which it refuses the whole file.

    Raises:
        InputError: a record lacks a field, or holds something else than the field means; or, unless
            ``lenient``, one of the above.
    """
    image_ids, category_ids = records.integers("image_id"), records.integers("category_id")
    reading = _Reading(records, lenient)
    image_rows, kept = reading.known("image_id", image_ids, images.ids, "images")
    if task != "proposals":
        known = np.array([category.id for category in categories], np.int64)
        kept &= reading.known("category_id", category_ids, known, "categories")[1]
    scores = reading.scores()
    boxes, has_box = reading.boxes()
    if rotated is None:
        rotated = rotated_box_array(*records.rotated_boxes())
    segmentations, keypoints = records.segmentations(), records.keypoints()
    present = dict(zip(SHAPES, (has_box, segmentations.present, keypoints.present)))
    _check_fields(records, present, task)
    masks = None
    if segmentations.present.any():
        sizes = np.zeros((len(records), 2), np.int64)
        sizes[kept] = images.sizes[image_rows[kept]]
        masks = segmentations.encode(sizes, None if kept.all() else np.flatnonzero(kept))
    if len(records) and not kept[0] and not has_box[0]:
        # The first detection says that areas are not those of boxes, even where it is left out.
        has_box = np.zeros_like(has_box)
    columns = {
        "prediction": from_numpy(np.arange(len(records)) if places is None else places),
        "image_id": from_numpy(image_ids),
        "category_id": from_numpy(category_ids),
        "score": from_numpy(scores),
        "bbox": box_array(boxes, has_box) if has_box.any() else None,
        "segmentation": None if masks is None else masks.column(sizes),
        "keypoints": keypoints.checked() if keypoints.count else None,
        "rotated_box": rotated,
        "extra": extra,
    }
    instances = filled_table(columns, PREDICTION_INSTANCES, len(records))
    if not kept.all():
        instances = instances.filter(from_numpy(kept))
    counts = np.bincount(image_rows[kept], minlength=len(images)).astype(np.int32)
    image_table = {**images.columns, "n_instances": from_numpy(counts)}
    predictions = Predictions(
        images=filled_table(image_table, PREDICTION_IMAGES, len(images)),
        instances=instances,
        source=source,
    )
    return ReadPredictions(predictions, tuple(reading.let_pass))


def _check_fields(
    records: CheckedRecords, present: dict[str, NDArray[np.bool_]], task: str
) -> None:
    """Raises ``InputError`` for the first detection that lacks a field it is scored by.

    The protocol takes a detection's area from its box in the whole file or nowhere in it: the first
    detection decides.
    """
    if not len(records) or task not in FIELDS:
        return
    first_has = [field for field in SHAPES if present[field][0]]
    scored_by = first_has[0] if FIELDS[task] == "bbox" and first_has else FIELDS[task]
    for field in dict.fromkeys([scored_by, *({"bbox"} & {*first_has})]):
        if not present[field].all():
            why = "" if field == scored_by else f", though {records.names[0]} has it"
            raise records.names.missing(present[field], field, why)


class _Reading:
    """The fields that a lenient reading takes more of than a strict one."""

    def __init__(self, records: CheckedRecords, lenient: bool) -> None:
        self._records, self._lenient = records, lenient
        self.let_pass: list[LetPass] = []

    def known(
        self, field: str, ids: NDArray[np.int64], known: NDArray[np.int64], what: str
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(N,) the place among the known ids of each, and (N,) whether it is among them."""
        where = f"dataset's {what}"
        if not self._lenient:
            at = self._records.referred(field, ids, known, where)
            return at, np.ones(len(ids), np.bool_)
        at, found = places_among(ids, known)
        article = "an" if field == "image_id" else "a"
        problem = f"{article} {field} that is not among the {where}"
        self._count(~found, problem, "left out", dropped=True)
        return at, found

    def scores(self) -> NDArray[np.float64]:
        scores = self._records.required_numbers("score", finite=not self._lenient)
        if self._lenient:
            self._count(~np.isfinite(scores), "a score that is not finite", "kept; NaN comes last")
        return scores

    def boxes(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        boxes, present = self._records.boxes("bbox", negative=self._lenient)
        if self._lenient:
            negative = (boxes[:, 2] < 0) | (boxes[:, 3] < 0)
            problem = "a box of negative width or height"
            self._count(negative, problem, "kept; it overlaps with nothing")
        return boxes, present

    def _count(
        self, rows: NDArray[np.bool_], problem: str, outcome: str, *, dropped: bool = False
    ) -> None:
        if rows.any():
            first = self._records.names[int(rows.argmax())]
            self.let_pass.append(LetPass(problem, outcome, int(rows.sum()), first, dropped))
