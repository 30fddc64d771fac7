"""A COCO panoptic annotation file: one segment list and one PNG map an image."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchsuite.columns.json_file import JsonFile
from benchsuite.columns.record_list import RecordList
from benchsuite.columns.tables import filled_table, image_columns
from benchsuite.columns.truth import read_categories
from benchsuite.errors import DataMissingError, InputError
from benchsuite.protocols import Truth
from benchsuite.records import ImageRecord
from benchsuite.schemas import TRUTH_IMAGES, TRUTH_INSTANCES
from benchsuite.specs import Category


class PanopticAnnotations:
    """The truth of a panoptic annotation file, in COCO's standard form.

    A map's pixels hold the segment's number as ``R + 256 G + 65536 B``, 0 being void.

    Args:
        file: the JSON file. Its maps are in the folder called as the file is without ``.json``,
            beside the file or one level up.
        categories: replace those of the file.

    Raises:
        DataMissingError: the file or the folder of maps is not there.
        InputError: the file cannot be read, lacks a field, or contradicts itself.
    """

    def __init__(self, file: Path, categories: Sequence[Category] | None = None) -> None:
        content = JsonFile.read(file, what="panoptic annotation file")
        self._file, self._sha256 = file, content.sha256
        self._categories = read_categories(
            content.list_field("categories") if categories is None else categories, file
        )
        self._folder = _map_folder(file)
        records = RecordList(content.list_field("annotations"), name="annotations", file=file)
        names = records.texts("file_name")
        self._maps: dict[int, str] = {}
        self._segments: dict[int, list[dict[str, Any]]] = {}
        for row, image_id in enumerate(records.integers("image_id").tolist()):
            if image_id in self._maps:
                raise records.names.error(row, f"is the second one of image_id {image_id}")
            self._maps[image_id] = names[row]
            listed = records.records[row].get("segments_info")
            if not isinstance(listed, list):
                raise records.names.error(row, "the field 'segments_info' is missing or no list")
            self._segments[image_id] = self._read_segments(
                RecordList(listed, name=f"annotations[{row}].segments_info", file=file)
            )

    def _read_segments(self, records: RecordList) -> list[dict[str, Any]]:
        known = {category.id: category for category in self._categories}
        category_ids = records.integers("category_id")
        records.referred("category_id", category_ids, list(known), "categories")
        columns = zip(
            records.unique_ids().tolist(),
            category_ids.tolist(),
            records.flags("iscrowd", default=False).tolist(),
            records.integers("area").tolist(),
        )
        return [
            {
                "id": segment,
                "category_id": category_id,
                "isthing": known[category_id].isthing,
                "iscrowd": iscrowd,
                "area": area,
            }
            for segment, category_id, iscrowd, area in columns
        ]

    def combined_sha256(self, other: str) -> str:
        """The hash of this file and of another one, given by its own hash."""
        return hashlib.sha256(f"{other} {self._sha256}".encode("ascii")).hexdigest()

    def truth(self, records: Sequence[ImageRecord]) -> Truth:
        """Panoptic truth of the images; null for those that the file does not list.

        Raises:
            InputError: a map is not there or cannot be read.
        """
        ids = [record.id for record in records]
        columns = {
            **image_columns(records),
            "panoptic_png": pa.array([self._read_map(image_id) for image_id in ids], pa.binary()),
            "segments": pa.array(
                [self._segments.get(image_id) for image_id in ids],
                TRUTH_IMAGES.field("segments").type,
            ),
        }
        return Truth(
            images=filled_table(columns, TRUTH_IMAGES, len(ids)),
            instances=TRUTH_INSTANCES.empty_table(),
            categories=self._categories,
            source=str(self._file),
        )

    def _read_map(self, image_id: int) -> bytes | None:
        name = self._maps.get(image_id)
        if name is None:
            return None
        try:
            return (self._folder / Path(name).name).read_bytes()
        except OSError as error:
            raise InputError(
                f"the map of image id {image_id} cannot be read: {error.strerror or error}",
                file=self._folder / name,
            ) from error


def _map_folder(file: Path) -> Path:
    candidates = (file.parent / file.stem, file.parent.parent / file.stem)
    for folder in candidates:
        if folder.is_dir():
            return folder
    looked = " and ".join(str(folder) for folder in candidates)
    raise DataMissingError(f"the maps of {file} are not there; looked for {looked}")
