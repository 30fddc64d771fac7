"""Panoptic maps image by image, and masks made of them and the other way round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy, from_values, is_present
from benchsuite.columns.tables import box_array, filled_table, rle_array
from benchsuite.errors import InputError
from benchsuite.protocols import Truth
from benchsuite.records import ImageRecord
from benchsuite.schemas import TRUTH_INSTANCES
from benchsuite_kernels.columns import rle
from benchsuite_kernels.columns.instance_maps import Regions, regions
from benchsuite_kernels.columns.label_maps import MapError, decode
from benchsuite_plugins.formats.written_images import image_records, rows_by_image

MOST_SEGMENTS = (1 << 16) - 1
"""Of one image: what counting regions takes."""


@dataclass(frozen=True, slots=True)
class PanopticImage:
    """One image's map.

    Attributes:
        numbers: (H, W) integers, the segment's number or 0.
        segments: rows of ``schemas.SEGMENT``.
    """

    record: ImageRecord
    numbers: NDArray[Any]
    segments: list[dict[str, Any]]

    def regions(self, file: str) -> dict[int, tuple[int, tuple[int, ...], bytes]]:
        """Segment number to area, box (x, y, width, height) and RLE of what the map shows of it.

        Raises:
            InputError: there are more segments than an image has.
        """
        values, places = np.unique(self.numbers, return_inverse=True)
        if len(values) > MOST_SEGMENTS:
            raise InputError(
                f"its map shows {len(values)} segments, more than {MOST_SEGMENTS}",
                file=file or None,
                record=f"image id {self.record.id}",
            )
        small: NDArray[np.uint16] = places.reshape(self.numbers.shape).astype(np.uint16)
        found: Regions = regions(small)
        boxes = map(tuple, found.boxes.tolist())
        numbers = values[found.values].tolist()
        return dict(zip(numbers, zip(found.areas.tolist(), boxes, found.counts)))


def panoptic_images(images: pa.Table, file: str) -> Iterator[PanopticImage]:
    """Those of a table of truth or predictions that have a panoptic map.

    Raises:
        InputError: a map cannot be read, or has no list of segments.
    """
    columns = ["panoptic_png", "panoptic_path", "segments"]
    rows = (row for batch in images.to_batches(max_chunksize=64) for row in _rows(batch, columns))
    for record, row in zip(image_records(images), rows):
        source = row["panoptic_path"] if row["panoptic_png"] is None else row["panoptic_png"]
        if source is None:
            continue
        name = f"image id {record.id}"
        if row["segments"] is None:
            raise InputError("has a map, but no list of segments", file=file or None, record=name)
        try:
            numbers = decode(source, "colour")
        except MapError as error:
            where = source if isinstance(source, str) else file or None
            raise InputError(f"the map {error.problem}", file=where, record=name) from None
        yield PanopticImage(record, numbers, row["segments"])


def _rows(batch: pa.RecordBatch, columns: list[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = batch.select(columns).to_pylist()
    return rows


def masks_of(images: Iterable[PanopticImage], file: str) -> pa.Table:
    """``schemas.TRUTH_INSTANCES``: a mask for each segment that its map shows, numbered from 1.

    Boxes are those of the masks; areas those of the lists, or where there is none the masks'.
    """
    ids, category_ids, boxes, areas, crowd, counts, sizes = ([] for _ in range(7))
    for image in images:
        shown = image.regions(file)
        for segment in image.segments:
            if segment["id"] not in shown:
                continue
            area, box, mask = shown[segment["id"]]
            ids.append(image.record.id)
            category_ids.append(segment["category_id"])
            boxes.append(box)
            areas.append(area if segment["area"] is None else segment["area"])
            crowd.append(bool(segment["iscrowd"]))
            counts.append(mask)
            sizes.append(image.numbers.shape)
    columns = {
        "annotation_id": from_numpy(np.arange(1, len(ids) + 1)),
        "image_id": from_values(ids, pa.int64()),
        "category_id": from_values(category_ids, pa.int64()),
        "bbox": box_array(np.array(boxes, np.float64).reshape(-1, 4), np.ones(len(ids), np.bool_)),
        "area": from_values(areas, pa.float64()),
        "iscrowd": from_values(crowd, pa.bool_()),
        "segmentation": rle_array(counts, np.array(sizes, np.int64).reshape(-1, 2)),
    }
    return filled_table(columns, TRUTH_INSTANCES, len(ids))


def panoptic_of_masks(truth: Truth) -> Iterator[PanopticImage]:
    """A panoptic map of the masks of each image, in which segments are numbered from 1.

    Raises:
        InputError: an annotation has no mask, or two masks of an image share a pixel.
    """
    instances = truth.instances
    things = {category.id: category.isthing for category in truth.categories}
    rows = rows_by_image(instances, np.ones(len(instances), np.bool_))
    names = ["annotation_id", "category_id", "area", "iscrowd", "segmentation"]
    for record in image_records(truth.images):
        numbers = np.zeros((record.height, record.width), np.int32)
        segments: list[dict[str, Any]] = []
        of_image = instances.select(names).take(from_numpy(np.array(rows.get(record.id, []), int)))
        for number, row in enumerate(of_image.to_pylist(), start=1):
            where = f"annotation id {row['annotation_id']}"
            if row["segmentation"] is None:
                raise InputError("has no mask", file=truth.source or None, record=where)
            mask = rle.decode(row["segmentation"]["counts"], numbers.shape).astype(np.bool_)
            if numbers[mask].any():
                other = segments[int(numbers[mask].max()) - 1]["annotation_id"]
                raise InputError(
                    f"its mask and that of annotation id {other} have pixels in common, which no"
                    " panoptic map can show",
                    file=truth.source or None,
                    record=where,
                )
            numbers[mask] = number
            segments.append(
                {
                    "id": number,
                    "annotation_id": row["annotation_id"],
                    "category_id": row["category_id"],
                    "isthing": things.get(row["category_id"], True),
                    "iscrowd": row["iscrowd"],
                    "area": int(row["area"]),
                }
            )
        yield PanopticImage(record, numbers, segments)


def has_maps(images: pa.Table) -> NDArray[np.bool_]:
    """(N,) whether an image has a panoptic map."""
    return is_present(images["panoptic_png"]) | is_present(images["panoptic_path"])
