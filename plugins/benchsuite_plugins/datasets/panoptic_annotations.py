"""A COCO panoptic annotation file: one segment list and one PNG map an image."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import empty_table, from_values
from benchsuite.columns.json_file import JsonFile
from benchsuite.columns.map_paths import map_paths
from benchsuite.columns.record_list import RecordList
from benchsuite.columns.segment_lists import SegmentLists
from benchsuite.columns.tables import filled_table, image_columns
from benchsuite.columns.truth import read_categories, read_images
from benchsuite.errors import DataMissingError, InputError
from benchsuite.protocols import Truth
from benchsuite.records import ImageRecord
from benchsuite.schemas import TRUTH_IMAGES, TRUTH_INSTANCES
from benchsuite.specs import Category
from benchsuite_plugins.datasets.panoptic_files import map_folder

THINGS = Category(0, "things", isthing=False)
"""All things as one category, as Detectron2 numbers and names it."""


class PanopticAnnotations:
    """The truth of a panoptic annotation file, in COCO's standard form.

    A map's pixels hold the segment's number as ``R + 256 G + 65536 B``, 0 being void.

    Args:
        file: the JSON file. Its maps are in the folder called as the file is without ``.json``,
            beside the file or one level up.
        categories: replace those of the file.
        maps: the folder of its maps, where they are elsewhere.

    Raises:
        DataMissingError: the file or the folder of maps is not there.
        InputError: the file cannot be read, lacks a field, or contradicts itself.
    """

    def __init__(
        self,
        file: Path,
        categories: Sequence[Category] | None = None,
        *,
        maps: Path | None = None,
    ) -> None:
        content = JsonFile.read(file, what="panoptic annotation file")
        self._file, self._sha256 = file, content.sha256
        self._images = content.object().get("images")
        self._categories = read_categories(
            content.list_field("categories") if categories is None else categories, file
        )
        self._folder = _map_folder(file) if maps is None else _existing(maps)
        records = RecordList(content.list_field("annotations"), name="annotations", file=file)
        self._maps = map_paths(records, self._folder)
        self._rows: dict[int, int] = {}
        for row, image_id in enumerate(records.integers("image_id").tolist()):
            if image_id in self._rows:
                raise records.names.error(row, f"is the second one of image_id {image_id}")
            self._rows[image_id] = row
        self._segments = SegmentLists(records)
        known = [category.id for category in self._categories]
        self._of_category = self._segments.records.referred(
            "category_id", self._segments.category_ids, known, "categories"
        )
        self._iscrowd = self._segments.records.flags("iscrowd", default=False)
        self._areas = self._segments.records.integers("area")

    @property
    def categories(self) -> tuple[Category, ...]:
        return self._categories

    @property
    def sha256(self) -> str:
        return self._sha256

    def images(self) -> tuple[ImageRecord, ...]:
        """The images that the file lists, by ascending id. Raises ``InputError`` where none is."""
        if not isinstance(self._images, list):
            raise InputError("the field 'images' is missing or no list", file=self._file)
        return read_images(self._images, self._file)

    def combined_sha256(self, other: str) -> str:
        """The hash of this file and of another one, given by its own hash."""
        return hashlib.sha256(f"{other} {self._sha256}".encode("ascii")).hexdigest()

    def truth(self, records: Sequence[ImageRecord]) -> Truth:
        """Panoptic truth of the images; null for those that the file does not list."""
        things = np.array([category.isthing for category in self._categories], np.bool_)
        return self._truth(records, self._categories, None, things)

    def separated_truth(self, records: Sequence[ImageRecord]) -> Truth:
        """The truth with all things as one category, ``THINGS``, before the kinds of stuff.

        What the semantic branch of Panoptic FPN is scored by: maps are panoptic still, and it is
        the category of a pixel's segment that counts.
        """
        separated = separated_categories(self._categories)
        ids = np.array(
            [THINGS.id if each.isthing else each.id for each in self._categories], np.int64
        )
        return self._truth(records, separated, ids, np.zeros(len(ids), np.bool_))

    def _truth(
        self,
        records: Sequence[ImageRecord],
        categories: tuple[Category, ...],
        category_ids: NDArray[np.int64] | None,
        things: NDArray[np.bool_],
    ) -> Truth:
        """Truth with other ids and kinds of categories: (K,) each, in the file's order."""
        rows = [self._rows.get(record.id) for record in records]
        paths = [None if row is None else self._maps[row] for row in rows]
        columns = {
            **image_columns(records),
            "panoptic_path": from_values(paths, pa.string()),
            "segments": self._segments.column(
                rows,
                category_ids=None if category_ids is None else category_ids[self._of_category],
                things=things[self._of_category],
                iscrowd=self._iscrowd,
                areas=self._areas,
            ),
        }
        return Truth(
            images=filled_table(columns, TRUTH_IMAGES, len(rows)),
            instances=empty_table(TRUTH_INSTANCES),
            categories=categories,
            source=str(self._file),
        )


def separated_categories(categories: Sequence[Category]) -> tuple[Category, ...]:
    """``THINGS``, then the kinds of stuff."""
    return (THINGS, *(category for category in categories if not category.isthing))


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise DataMissingError(f"there is no folder of maps {folder}")
    return folder


def _map_folder(file: Path) -> Path:
    folder = map_folder(file)
    if folder is None:
        looked = f"{file.parent / file.stem} and {file.parent.parent / file.stem}"
        raise DataMissingError(f"the maps of {file} are not there; looked for {looked}")
    return folder
