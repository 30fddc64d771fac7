"""Cityscapes' panoptic truth, as cityscapesscripts' ``createPanopticImgs`` writes it.

A COCO panoptic file whose image ids are frame names. A segment's number is that of the instance
map: the label id of stuff and of groups (which are crowds), else label id * 1000 + number.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchsuite.columns.arrow_arrays import from_values
from benchsuite.columns.json_file import JsonFile
from benchsuite.columns.record_list import RecordList
from benchsuite.errors import DataMissingError
from benchsuite.schemas import TRUTH_IMAGES
from benchsuite_plugins.datasets.cityscapes.labels import CATEGORIES
from benchsuite_plugins.datasets.cityscapes.layout import Frame

_REMEDY = (
    "cityscapesscripts makes it of the instance maps: CITYSCAPES_DATASET={folder} "
    "csCreatePanopticImgs"
)


class PanopticFile:
    """A panoptic annotation file and the folder of maps beside it.

    Args:
        file: ``cityscapes_panoptic_<split>.json``.
        folder: of Cityscapes itself, for messages.

    Attributes:
        sha256: of the file.

    Raises:
        DataMissingError: the file or its maps are not there.
        InputError: the file cannot be read, lacks a field, or has a category that Cityscapes has
            not.
    """

    def __init__(self, file: Path, folder: Path) -> None:
        self._maps = file.with_suffix("")
        remedy = _REMEDY.format(folder=folder.absolute())
        if not file.is_file():
            raise DataMissingError(f"the annotation file {file.absolute()} is not there. {remedy}")
        if not self._maps.is_dir():
            raise DataMissingError(
                f"the folder of maps {self._maps.absolute()} is not there. {remedy}"
            )
        content = JsonFile.read(file, what="panoptic annotation file")
        self.sha256 = content.sha256
        self._category_ids = _category_ids(content)
        records = RecordList(content.list_field("annotations"), name="annotations", file=file)
        names, maps = records.texts("image_id"), records.texts("file_name")
        self._map_names = dict(zip(names, maps))
        self._segments: dict[str, list[dict[str, Any]]] = {}
        for row, name in enumerate(names):
            if name in self._segments:
                raise records.names.error(row, f"is the second one of image_id {name!r}")
            listed = records.records[row].get("segments_info")
            if not isinstance(listed, list):
                raise records.names.error(row, "the field 'segments_info' is missing or no list")
            self._segments[name] = self._read_segments(
                RecordList(listed, name=f"annotations[{row}].segments_info", file=file)
            )

    def _read_segments(self, records: RecordList) -> list[dict[str, Any]]:
        category_ids = records.integers("category_id")
        records.referred("category_id", category_ids, list(self._category_ids), "categories")
        columns = zip(
            records.unique_ids().tolist(),
            (self._category_ids[category_id] for category_id in category_ids.tolist()),
            records.flags("iscrowd", default=False).tolist(),
            records.integers("area").tolist(),
        )
        things = {category.id for category in CATEGORIES if category.isthing}
        return [
            {
                "id": segment,
                "category_id": category_id,
                "isthing": category_id in things,
                "iscrowd": iscrowd,
                "area": area,
            }
            for segment, category_id, iscrowd, area in columns
        ]

    def columns(self, frames: Sequence[Frame]) -> dict[str, pa.Array[Any]]:
        """``panoptic_path`` and ``segments`` of ``TRUTH_IMAGES``; null for frames not listed."""
        names = [frame.name for frame in frames]
        paths = [
            str(self._maps / self._map_names[name]) if name in self._map_names else None
            for name in names
        ]
        segments = [self._segments.get(name) for name in names]
        return {
            "panoptic_path": from_values(paths, pa.string()),
            "segments": from_values(segments, TRUTH_IMAGES.field("segments").type),
        }


def _category_ids(content: JsonFile) -> dict[int, int]:
    """The file's category ids, which may be train ids, to label ids."""
    records = RecordList(content.list_field("categories"), name="categories", file=content.path)
    known = {category.name: category.id for category in CATEGORIES}
    found = {}
    for row, (number, name) in enumerate(zip(records.unique_ids().tolist(), records.texts("name"))):
        if name not in known:
            raise records.names.error(row, f"{name!r} is no category of Cityscapes")
        found[number] = known[name]
    return found
