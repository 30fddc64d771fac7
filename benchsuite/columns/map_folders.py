"""Folders of PNG maps as truth and predictions.

A semantic map holds a class number a pixel, a panoptic one the number of a segment that a COCO
panoptic JSON file lists. Maps are not decoded here: tables name their paths, and only the headers
of truth's are read, for their sizes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from benchsuite.columns.arrow_arrays import empty_table, from_numpy, from_values
from benchsuite.columns.json_file import JsonFile
from benchsuite.columns.map_paths import map_paths
from benchsuite.columns.plain_values import shown
from benchsuite.columns.record_list import RecordList
from benchsuite.columns.segment_lists import SegmentLists
from benchsuite.columns.tables import filled_table, image_columns
from benchsuite.errors import DataMissingError, InputError, UsageError
from benchsuite.protocols import Predictions, Truth
from benchsuite.records import ImageRecord
from benchsuite.schemas import (
    PREDICTION_IMAGES,
    PREDICTION_INSTANCES,
    TRUTH_IMAGES,
    TRUTH_INSTANCES,
)
from benchsuite.specs import Category
from benchsuite_kernels.columns.label_maps import MapError, read_size

MOST_CLASSES = 1 << 16
"""Class numbers that a map can hold."""

_CITYSCAPES = "_leftImg8bit"
"""How Cityscapes' images end, and the ids of its panoptic files do not."""

_SHOWN = 5


def read_truth_maps(
    folder: Path,
    num_classes: int,
    ignore: int | None = None,
    names: Sequence[str] = (),
) -> Truth:
    """Semantic truth of a folder of maps that hold class numbers.

    Numbers that are no class do not count: ``ignore``, and all from ``num_classes`` on.

    Args:
        folder: looked through with the folders in it, for files that end in ``.png``.
        num_classes: classes are 0 to ``num_classes - 1``.
        ignore: a number that does not count, even if it is below ``num_classes``.
        names: of the classes; default: their numbers.

    Returns:
        Images by path, numbered from 1; ``file_name`` is the map's path below the folder.

    Raises:
        UsageError: no such number of classes can be, or there is another number of names.
        DataMissingError: there is no such folder, or no map in it.
        InputError: a file is no PNG.
    """
    if not 1 <= num_classes <= MOST_CLASSES:
        raise UsageError(f"{num_classes} classes cannot be; there are 1 to {MOST_CLASSES}")
    if names and len(names) != num_classes:
        raise UsageError(f"there are {len(names)} names for {num_classes} classes")
    maps = _maps_below(folder)
    sizes = [_size(path) for path in maps.values()]
    columns = {
        "image_id": from_numpy(np.arange(1, len(maps) + 1)),
        "file_name": from_values(
            [f"{key}{path.suffix}" for key, path in maps.items()], pa.string()
        ),
        "width": from_values([width for _, width in sizes], pa.int32()),
        "height": from_values([height for height, _ in sizes], pa.int32()),
        "semantic_path": from_values([str(path) for path in maps.values()], pa.string()),
    }
    categories = tuple(
        Category(number, names[number] if names else str(number), isthing=False)
        for number in range(num_classes)
        if number != ignore
    )
    return Truth(
        images=filled_table(columns, TRUTH_IMAGES, len(maps)),
        instances=empty_table(TRUTH_INSTANCES),
        categories=categories,
        source=str(folder),
    )


def read_prediction_maps(folder: Path, images: Sequence[ImageRecord]) -> Predictions:
    """Semantic predictions of a folder of maps, one for each image of the truth.

    A map belongs to the image whose ``file_name`` has the same path below its folder, endings apart
    (``frankfurt/a.png`` to ``frankfurt/a.jpg``). Where that is so of none and names alone are
    unique, they decide.

    Args:
        folder: looked through with the folders in it, for files that end in ``.png``.
        images: all images of the truth.

    Raises:
        DataMissingError: there is no such folder, or no map in it.
        InputError: an image has no map, or a map no image.
    """
    maps = _maps_below(folder)
    keys = [_key(image.file_name) for image in images]
    if not maps.keys() & set(keys):
        by_name = {PurePosixPath(key).name: path for key, path in maps.items()}
        names = [PurePosixPath(key).name for key in keys]
        if len(by_name) == len(maps) and len(set(names)) == len(names):
            maps, keys = by_name, names
    missing = [key for key in keys if key not in maps]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(keys)} images have no map: {_some(missing)}",
            file=folder,
            remedy="A map is called as its image, with the ending .png",
        )
    surplus = sorted(maps.keys() - set(keys))
    if surplus:
        raise InputError(
            f"{len(surplus)} of {len(maps)} maps are of no image of the truth: {_some(surplus)}",
            file=folder,
            remedy="Leave only the maps that shall be scored in the folder",
        )
    paths = [str(maps[key]) for key in keys]
    return _predictions(images, {"semantic_path": from_values(paths, pa.string())}, str(folder))


def read_coco_panoptic_predictions(
    file: Path, images: Sequence[ImageRecord], folder: Path | None = None
) -> Predictions:
    """Panoptic predictions: COCO's JSON file of segment lists, and a folder of maps.

    Args:
        file: an object with ``annotations``, or these alone: each with ``image_id`` (a number, or
            the image's file name without ending, as Cityscapes has it), ``file_name`` of the map
            and ``segments_info``, a list of objects with ``id`` and ``category_id``.
        images: all images of the truth. Predictions of further ones are left out, as panopticapi
            does.
        folder: where the maps are; default: called as the file is, without its ending.

    Raises:
        DataMissingError: the file or the folder is not there.
        InputError: the file cannot be read or lacks a field, an image is predicted twice or not at
            all.
    """
    content = JsonFile.read(file, what="panoptic predictions file")
    listed = content.content if isinstance(content.content, list) else None
    annotations = content.list_field("annotations") if listed is None else listed
    folder = folder or file.with_suffix("")
    if not folder.is_dir():
        raise DataMissingError(f"the maps of {file} are not there; looked for {folder}")
    records = RecordList(annotations, name="annotations", file=file)
    every_path = map_paths(records, folder)
    rows: dict[int, int] = {}
    for row, image_id in enumerate(_image_ids(records, images)):
        if image_id in rows:
            raise records.names.error(row, f"is the second one of image_id {image_id}")
        if image_id is not None:
            rows[image_id] = row
    missing = [str(image.id) for image in images if image.id not in rows]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(images)} images are not predicted: image ids {_some(missing)}",
            file=file,
        )
    of_images = [rows[image.id] for image in images]
    paths = [every_path[row] for row in of_images]
    columns = {
        "panoptic_path": from_values(paths, pa.string()),
        "segments": SegmentLists(records).column(of_images),
    }
    return _predictions(images, columns, str(file))


def _maps_below(folder: Path) -> dict[str, Path]:
    """The maps in a folder and in those in it, by path without ending, in that order."""
    if not folder.is_dir():
        raise DataMissingError(f"there is no folder of maps {folder}")
    maps: dict[str, Path] = {}
    for path in folder.rglob("*"):
        if path.suffix.lower() == ".png" and path.is_file():
            key = path.relative_to(folder).with_suffix("").as_posix()
            if key in maps:
                raise InputError(f"differs from {maps[key].name} in its ending alone", file=path)
            maps[key] = path
    if not maps:
        raise DataMissingError(f"there is no PNG map in the folder {folder}")
    return dict(sorted(maps.items()))


def _key(file_name: str) -> str:
    return PurePosixPath(file_name.replace("\\", "/")).with_suffix("").as_posix()


def _size(path: Path) -> tuple[int, int]:
    try:
        return read_size(path)
    except MapError as error:
        raise InputError(f"the map {error.problem}", file=path) from None


def _predictions(
    images: Sequence[ImageRecord], columns: Mapping[str, pa.Array[Any]], source: str
) -> Predictions:
    """Predictions of maps alone."""
    none = from_numpy(np.zeros(len(images), np.int32))
    table = filled_table(
        {**image_columns(images), "n_instances": none, **columns}, PREDICTION_IMAGES, len(images)
    )
    return Predictions(table, empty_table(PREDICTION_INSTANCES), source)


def _image_ids(records: RecordList, images: Sequence[ImageRecord]) -> Iterator[int | None]:
    """The image id of each record; ``None`` where the truth has no such image."""
    known: dict[Any, int] = {}
    for image in images:
        stem = PurePosixPath(_key(image.file_name)).name
        known |= {stem: image.id, stem.removesuffix(_CITYSCAPES): image.id}
    known |= {image.id: image.id for image in images}
    for row, value in enumerate(records.values("image_id")):
        if not isinstance(value, (int, str)) or isinstance(value, bool):
            raise records.names.error(
                row, f"the field 'image_id' is {shown(value)}, not a number or a name"
            )
        yield known.get(value)


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(names[:_SHOWN])
    return listed if len(names) <= _SHOWN else f"{listed}, …"
