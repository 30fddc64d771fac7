"""Panoptic maps of two channels: the category id in red, the number among its segments in green.

Kirillov et al., Panoptic Segmentation, 2019, and the converters of ``panopticapi``: category 0 is
void, and each pair of category and number one segment. In truth number 255 of a thing is a crowd.
A folder of such maps has no list; a JSON file beside it, called as it is, has its images and
categories where it is truth.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import empty_table, from_numpy, from_values
from benchsuite.columns.json_file import JsonFile
from benchsuite.columns.tables import filled_table, image_columns
from benchsuite.columns.truth import read_categories, read_images
from benchsuite.errors import DataMissingError, InputError
from benchsuite.predictions.label_maps import encode_panoptic
from benchsuite.protocols import Predictions, PredictionsRequest, Truth, TruthRequest, WriteRequest
from benchsuite.records import ImageRecord
from benchsuite.schemas import (
    PREDICTION_IMAGES,
    PREDICTION_INSTANCES,
    TRUTH_IMAGES,
    TRUTH_INSTANCES,
)
from benchsuite.specs import Category
from benchsuite_kernels.columns.label_maps import MapError, decode
from benchsuite_plugins.formats.coco_panoptic import TASKS_OF_MAPS, category_record, image_record
from benchsuite_plugins.formats.image_names import stem_of
from benchsuite_plugins.formats.losses import prediction_losses, truth_losses
from benchsuite_plugins.formats.panoptic_maps import (
    PanopticImage,
    has_maps,
    masks_of,
    panoptic_images,
    panoptic_of_masks,
)
from benchsuite_plugins.formats.written_images import flat_names, image_records

LARGEST = 255
"""Of a category id, and of a number among the segments of a category."""

CROWD = 255

_KEPT = ("panoptic", "segmentation", "bbox", "category_id", "image_id")


def read_truth(request: TruthRequest) -> Truth:
    """Truth of a folder of maps and the JSON file beside it.

    Raises:
        DataMissingError: there is no such file.
        InputError: a map is missing or malformed, or holds a category that is not known.
    """
    file = request.path.with_name(f"{request.path.name}.json")
    content = JsonFile.read(file, what="file of images and categories")
    categories = request.categories or read_categories(content.list_field("categories"), file)
    records = read_images(content.list_field("images"), file)
    maps = list(_read_maps(request.path, records, categories, crowds=True))
    truth = Truth(
        images=filled_table(_columns(records, maps), TRUTH_IMAGES, len(records)),
        instances=empty_table(TRUTH_INSTANCES),
        categories=categories,
        source=str(request.path),
    )
    if request.task in TASKS_OF_MAPS:
        return truth
    return replace(truth, instances=masks_of(maps, truth.source))


def read_predictions(request: PredictionsRequest) -> Predictions:
    """Predictions of a folder of maps, one for each image, called as it.

    Raises:
        InputError: a map is missing or malformed, or holds a category that is not known.
    """
    records = list(request.images)
    maps = _read_maps(request.path, records, request.categories, crowds=False)
    columns = {
        **_columns(records, maps),
        "n_instances": from_numpy(np.zeros(len(records), np.int32)),
    }
    return Predictions(
        images=filled_table(columns, PREDICTION_IMAGES, len(records)),
        instances=empty_table(PREDICTION_INSTANCES),
        source=str(request.path),
    )


def write_truth(truth: Truth, request: WriteRequest) -> Mapping[str, int]:
    """Writes the folder ``panoptic_SPLIT`` of maps, and a JSON file of images and categories.

    Returns:
        What it cannot hold, counted.

    Raises:
        InputError: a category id or the number of a category's segments is too large; a map or
            mask cannot be used; or masks of an image share pixels.
    """
    from_maps = bool(has_maps(truth.images).any())
    found = panoptic_images(truth.images, truth.source) if from_maps else panoptic_of_masks(truth)
    records = image_records(truth.images)
    crowds = _write_maps(found, records, truth.source, request, crowds=True)
    content = {
        "images": [image_record(record) for record in records],
        "categories": [category_record(category) for category in truth.categories],
    }
    (request.path / f"panoptic_{request.split}.json").write_text(
        json.dumps(content), encoding="utf-8"
    )
    lost = truth_losses(truth, _KEPT)
    return lost | ({"crowds of an image and category made one": crowds} if crowds else {})


def write_predictions(predictions: Predictions, request: WriteRequest) -> Mapping[str, int]:
    """Writes the folder ``panoptic_SPLIT`` of maps.

    Returns:
        What it cannot hold, counted.

    Raises:
        InputError: as for ``write_truth``.
    """
    found = panoptic_images(predictions.images, predictions.source)
    records = image_records(predictions.images)
    _write_maps(found, records, predictions.source, request, crowds=False)
    return prediction_losses(predictions, ())


def _read_maps(
    folder: Path, records: Sequence[ImageRecord], categories: Sequence[Category], crowds: bool
) -> Iterator[PanopticImage]:
    """Segments are numbered ``category id + 256 * number``, which is what the maps hold."""
    known = {category.id: category for category in categories}
    for record in records:
        path = folder / f"{stem_of(record.file_name)}.png"
        name = f"image id {record.id}"
        if not path.is_file():
            raise DataMissingError(f"the map {path} of {name} is not there")
        try:
            numbers = decode(path, "colour") & 0xFFFF
        except MapError as error:
            raise InputError(f"the map {error.problem}", file=path, record=name) from None
        numbers[numbers & 0xFF == 0] = 0
        segments = []
        values, areas = np.unique(numbers, return_counts=True)
        for number, area in zip(values.tolist(), areas.tolist()):
            if number == 0:
                continue
            category = known.get(number & 0xFF)
            if category is None:
                problem = f"the map holds category id {number & 0xFF}, which is not known"
                raise InputError(problem, file=path, record=name)
            segments.append(
                {
                    "id": number,
                    "category_id": category.id,
                    "isthing": category.isthing,
                    "iscrowd": crowds and category.isthing and number >> 8 == CROWD,
                    "area": area,
                    "score": None,
                }
            )
        yield PanopticImage(record, numbers, segments)


def _columns(
    records: Sequence[ImageRecord], maps: Iterator[PanopticImage] | Sequence[PanopticImage]
) -> dict[str, pa.Array[Any]]:
    pngs, segments = [], []
    for image in maps:
        pngs.append(encode_panoptic(image.numbers.astype(np.int32)))
        segments.append(image.segments)
    return {
        **image_columns(records),
        "panoptic_png": from_values(pngs, pa.binary()),
        "segments": from_values(segments, TRUTH_IMAGES.field("segments").type),
    }


def _write_maps(
    images: Iterator[PanopticImage],
    records: Sequence[ImageRecord],
    source: str,
    request: WriteRequest,
    crowds: bool,
) -> int:
    """Writes the maps; returns how many crowds were made one with another."""
    folder = request.path / f"panoptic_{request.split}"
    folder.mkdir(parents=True)
    names = dict(zip((record.id for record in records), flat_names(records, source)))
    merged = 0
    with request.progress("writing maps", len(records)) as shown:
        for image in images:
            pixels, of_image = _two_channels(image, source, crowds)
            merged += of_image
            (folder / f"{names[image.record.id]}.png").write_bytes(encode_panoptic(pixels))
            shown.advance(1)
    return merged


def _two_channels(image: PanopticImage, source: str, crowds: bool) -> tuple[NDArray[np.int32], int]:
    """The map, and how many crowds share a number with another one."""
    pixels = np.zeros(image.numbers.shape, np.int32)
    next_number: dict[int, int] = {}
    merged, seen = 0, set()
    for segment in image.segments:
        category_id = segment["category_id"]
        is_crowd = crowds and bool(segment["iscrowd"])
        number = CROWD
        if is_crowd:
            merged += category_id in seen
            seen.add(category_id)
        else:
            number = next_number.get(category_id, 0)
            next_number[category_id] = number + 1
        if not 0 < category_id <= LARGEST or number > LARGEST - (not is_crowd):
            raise InputError(
                f"category id {category_id}, number {number}, does not fit two channels: ids are 1"
                f" to {LARGEST}, numbers below {LARGEST}",
                file=source or None,
                record=f"image id {image.record.id}",
            )
        pixels[image.numbers == segment["id"]] = category_id | number << 8
    return pixels, merged
