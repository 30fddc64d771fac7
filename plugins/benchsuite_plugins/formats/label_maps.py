"""Semantic maps: a folder of PNG files, one an image, that hold category ids."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from benchsuite.columns.arrow_arrays import is_present
from benchsuite.columns.map_folders import read_prediction_maps
from benchsuite.errors import InputError
from benchsuite.protocols import Predictions, PredictionsRequest, Truth, WriteRequest
from benchsuite_plugins.datasets.panoptic_to_semantic import with_semantic_maps
from benchsuite_plugins.formats.image_names import stem_of
from benchsuite_plugins.formats.losses import prediction_losses, truth_losses


def read_predictions(request: PredictionsRequest) -> Predictions:
    """A map for each image, called as it: see ``read_prediction_maps``."""
    return read_prediction_maps(request.path, request.images)


def write_predictions(predictions: Predictions, request: WriteRequest) -> Mapping[str, int]:
    """Writes the semantic maps, called as their images.

    Returns:
        What it cannot hold, counted.
    """
    written = _write(predictions.images, request, predictions.source)
    lost = prediction_losses(predictions, ())
    without = len(predictions.images) - written
    return lost | ({"images without a semantic map": without} if without else {})


def write_truth(truth: Truth, request: WriteRequest) -> Mapping[str, int]:
    """Writes the semantic maps, or what panoptic maps say of categories, called as their images.

    Returns:
        What it cannot hold, counted.

    Raises:
        InputError: a map cannot be read.
    """
    images = truth.images
    if not (is_present(images["semantic_png"]) | is_present(images["semantic_path"])).any():
        images = with_semantic_maps(truth).images
    written = _write(images, request, truth.source)
    lost = truth_losses(truth, ("semantic",))
    without = len(images) - written
    return lost | ({"images without a semantic map": without} if without else {})


def _write(images: pa.Table, request: WriteRequest, source: str) -> int:
    """Writes the maps that are there; returns how many."""
    request.path.mkdir()
    columns = [images[name] for name in ("image_id", "file_name", "semantic_png", "semantic_path")]
    written = 0
    with request.progress("writing maps", len(images)) as shown:
        for row in range(len(images)):
            image_id, name, png, path = (column[row].as_py() for column in columns)
            shown.advance(1)
            if png is None and path is None:
                continue
            # Folders stay: maps are found by their path.
            place = request.path / Path(name).parent / f"{stem_of(name)}.png"
            leads_out = Path(name).is_absolute() or ".." in Path(name).parts
            if leads_out or place.exists():
                problem = "leads out of the folder" if leads_out else "is another image's map too"
                record = f"image id {image_id}"
                raise InputError(f"a map called as {name!r} {problem}", file=source, record=record)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(Path(path).read_bytes() if png is None else png)
            written += 1
    return written
