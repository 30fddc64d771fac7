"""Predicted label maps as Cityscapes' evaluation takes them: a PNG of label ids an image.

Files are found by name, ``<city>_<sequence>_<frame>*.png``, anywhere below a folder. Label ids
are meant, not train ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchsuite.columns.arrow_arrays import from_numpy, from_values
from benchsuite.columns.tables import filled_table, image_columns
from benchsuite.errors import ContractError
from benchsuite.protocols import Predictions, PredictionsRequest, WriteRequest
from benchsuite.schemas import PREDICTION_IMAGES, PREDICTION_INSTANCES
from benchsuite_plugins.formats.cityscapes_files import frame_name, frame_records, result_files


def read_predictions(request: PredictionsRequest) -> Predictions:
    """The label map of every image, by its path: maps are read when they are scored.

    Raises:
        InputError: an image has no map or several.
    """
    images = request.images
    files = [str(file) for file in result_files(request.path, images, ".png")]
    columns = {
        **image_columns(images),
        "n_instances": from_numpy(np.zeros(len(images), np.int32)),
        "semantic_path": from_values(files, pa.string()),
    }
    return Predictions(
        images=filled_table(columns, PREDICTION_IMAGES, len(images)),
        instances=filled_table({}, PREDICTION_INSTANCES, 0),
        source=str(request.path),
    )


def write_predictions(predictions: Predictions, request: WriteRequest) -> Mapping[str, int]:
    """Writes ``<frame>.png`` for every image.

    Returns:
        What it cannot hold, counted.

    Raises:
        ContractError: an image has no semantic map.
        InputError: an image is no frame of Cityscapes, by its name.
    """
    request.path.mkdir()
    records = frame_records(predictions)
    pngs, paths = (predictions.images[f"semantic_{kind}"] for kind in ("png", "path"))
    with request.progress("writing label maps", len(records)) as shown:
        for record, png, path in zip(records, pngs, paths):
            encoded, source = png.as_py(), path.as_py()
            if encoded is None and source is None:
                raise ContractError(f"image id {record.id} has no semantic map to be written")
            if encoded is None:
                encoded = Path(source).read_bytes()
            (request.path / f"{frame_name(record)}.png").write_bytes(encoded)
            shown.advance(1)
    count = len(predictions.instances)
    return {"instances": count} if count else {}
