"""COCO's panoptic format: a JSON file of segment lists, and a folder of maps called as it is.

Kirillov et al., Panoptic Segmentation, 2019. What is read as truth has a mask for each segment too,
and truth that has masks alone is written as maps: that is how annotations go from COCO's detection
format to the panoptic one and back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from benchsuite.columns.map_folders import read_coco_panoptic_predictions
from benchsuite.predictions.label_maps import encode_panoptic
from benchsuite.protocols import Predictions, PredictionsRequest, Truth, TruthRequest, WriteRequest
from benchsuite.records import ImageRecord
from benchsuite.specs import Category
from benchsuite_plugins.datasets.panoptic_annotations import (
    PanopticAnnotations,
)
from benchsuite_plugins.datasets.panoptic_files import map_folder
from benchsuite_plugins.formats.losses import prediction_losses, truth_losses
from benchsuite_plugins.formats.panoptic_maps import (
    PanopticImage,
    has_maps,
    masks_of,
    panoptic_images,
    panoptic_of_masks,
)
from benchsuite_plugins.formats.written_images import flat_names, folders_lost, image_records

TASKS_OF_MAPS = ("semantic", "panoptic")

_KEPT = ("panoptic", "segmentation", "bbox", "area", "category_id", "image_id")


def read_truth(request: TruthRequest) -> Truth:
    """Panoptic truth, and (unless only maps are asked for) a mask for each segment.

    Raises:
        DataMissingError: the file or its maps are not there.
        InputError: the file or a map is malformed.
    """
    annotations = PanopticAnnotations(request.path, request.categories or None)
    truth = annotations.truth(annotations.images())
    if request.task in TASKS_OF_MAPS:
        return truth
    images = panoptic_images(truth.images, truth.source)
    return replace(truth, instances=masks_of(images, truth.source))


def read_predictions(request: PredictionsRequest) -> Predictions:
    """Maps and segment lists: see ``read_coco_panoptic_predictions``."""
    return read_coco_panoptic_predictions(request.path, request.images, map_folder(request.path))


def write_truth(truth: Truth, request: WriteRequest) -> Mapping[str, int]:
    """Writes ``panoptic_SPLIT.json`` and the folder ``panoptic_SPLIT`` of maps.

    Images that have no panoptic map get one made of their masks where no image has any.

    Returns:
        What it cannot hold, counted.

    Raises:
        InputError: a map or mask cannot be used; or masks of an image share pixels.
    """
    from_maps = bool(has_maps(truth.images).any())
    found = panoptic_images(truth.images, truth.source) if from_maps else panoptic_of_masks(truth)
    records = image_records(truth.images)
    sections = {
        "images": [image_record(record) for record in records],
        "categories": [category_record(category) for category in truth.categories],
    }
    names = dict(zip((r.id for r in records), flat_names(records, truth.source)))
    _write(request, sections, found, names, truth.source)
    kept = set(_KEPT) - ({"area"} if from_maps else set())
    return truth_losses(truth, kept)


def write_predictions(predictions: Predictions, request: WriteRequest) -> Mapping[str, int]:
    """Writes ``panoptic_SPLIT.json`` and the folder ``panoptic_SPLIT`` of maps.

    Returns:
        What it cannot hold, counted.

    Raises:
        InputError: a map cannot be used.
    """
    records = image_records(predictions.images)
    names = dict(zip((r.id for r in records), flat_names(records, predictions.source)))
    found = panoptic_images(predictions.images, predictions.source)
    _write(request, {}, found, names, predictions.source)
    lost = prediction_losses(predictions, ())
    without = len(records) - int(has_maps(predictions.images).sum())
    own = {
        "images without a panoptic map": without,
        "folders of images": folders_lost(records),
    }
    return lost | {noun: count for noun, count in own.items() if count}


def _write(
    request: WriteRequest,
    sections: Mapping[str, Any],
    images: Iterator[PanopticImage],
    names: Mapping[int, str],
    source: str,
) -> None:
    stem = f"panoptic_{request.split}"
    folder = request.path / stem
    folder.mkdir(parents=True)
    annotations = []
    with request.progress("writing maps", len(names)) as shown:
        for image in images:
            name = f"{names[image.record.id]}.png"
            (folder / name).write_bytes(encode_panoptic(image.numbers.astype("<i4")))
            annotations.append(
                {
                    "image_id": image.record.id,
                    "file_name": name,
                    "segments_info": list(_segments(image, source)),
                }
            )
            shown.advance(1)
    content = {**sections, "annotations": annotations}
    (request.path / f"{stem}.json").write_text(json.dumps(content), encoding="utf-8")


def _segments(image: PanopticImage, source: str) -> Iterator[dict[str, Any]]:
    shown = image.regions(source)
    for segment in image.segments:
        area, box, _ = shown.get(segment["id"], (0, (0, 0, 0, 0), b""))
        yield {
            "id": segment["id"],
            "category_id": segment["category_id"],
            "area": area if segment["area"] is None else segment["area"],
            "bbox": list(box),
            "iscrowd": int(bool(segment["iscrowd"])),
        }


def image_record(record: ImageRecord) -> dict[str, Any]:
    """As COCO's files have it."""
    sides = {"width": record.width, "height": record.height}
    return {"id": record.id, "file_name": record.file_name, **sides}


def category_record(category: Category) -> dict[str, Any]:
    """As COCO's panoptic files have it."""
    record: dict[str, Any] = {"id": category.id, "name": category.name}
    if category.supercategory:
        record["supercategory"] = category.supercategory
    return record | {"isthing": int(category.isthing)}
