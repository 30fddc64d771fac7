"""Writing YOLO text labels and detections: see ``yolo_labels`` for the lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import is_present, to_numpy
from benchsuite.protocols import Predictions, Truth, WriteRequest
from benchsuite.records import ImageRecord
from benchsuite.specs import Category
from benchsuite_plugins.formats.losses import changed_rows, prediction_losses, truth_losses
from benchsuite_plugins.formats.written_images import (
    flat_names,
    folders_lost,
    image_records,
    require_sizes,
    rows_by_image,
)
from benchsuite_plugins.formats.yolo_labels import image_scales, normalised_boxes, pixel_boxes

_KEPT = ("bbox",)


def write_truth(truth: Truth, request: WriteRequest) -> Mapping[str, int]:
    """Writes ``labels/SPLIT`` with a file for each image, and ``data.yaml``.

    The images are not copied; ``data.yaml`` looks for them in ``images/SPLIT``. Crowd regions and
    difficult objects, which are not to be found, are left out: YOLO has no such thing. So are
    objects without a box.

    Returns:
        What YOLO cannot hold, counted.

    Raises:
        InputError: two images would share a file, or an image's size is not known.
    """
    instances = truth.instances
    crowd, difficult = to_numpy(instances["iscrowd"]), to_numpy(instances["difficult"])
    boxed = is_present(instances["bbox"])
    records = image_records(truth.images)
    folder = request.path / "labels" / request.split
    chosen = boxed & ~crowd & ~difficult
    rounded = _write_labels(folder, truth.source, records, instances, chosen, request)
    (request.path / "data.yaml").write_text(
        _data_file(truth.categories, request.split), encoding="utf-8"
    )
    own = {
        "objects without a box": int((~boxed).sum()),
        "crowd regions": int(crowd.sum()),
        "difficult objects": int((difficult & ~crowd).sum()),
        "last digits of boxes": rounded,
        "folders of images": folders_lost(records),
    }
    lost = truth_losses(truth, _KEPT, written=chosen)
    return lost | {noun: count for noun, count in own.items() if count}


def write_predictions(predictions: Predictions, request: WriteRequest) -> Mapping[str, int]:
    """Writes a file for each image, its lines ending with the score.

    Returns:
        What YOLO cannot hold, counted. Detections without a box are left out.

    Raises:
        InputError: two images would share a file, or an image's size is not known.
    """
    instances = predictions.instances.sort_by("prediction")
    boxed = is_present(instances["bbox"])
    records = image_records(predictions.images)
    rounded = _write_labels(
        request.path, predictions.source, records, instances, boxed, request, scored=True
    )
    own = {
        "detections without a box": int((~boxed).sum()),
        "last digits of boxes": rounded,
        "folders of images": folders_lost(records),
    }
    lost = prediction_losses(predictions, ("bbox",))
    return lost | {noun: count for noun, count in own.items() if count}


def _write_labels(
    folder: Path,
    source: str,
    records: Sequence[ImageRecord],
    instances: pa.Table,
    chosen: NDArray[np.bool_],
    request: WriteRequest,
    *,
    scored: bool = False,
) -> int:
    """Writes a file for each image; returns how many boxes are read back with other last digits."""
    names = flat_names(records, source)
    require_sizes(records, source)
    row_of = {record.id: row for row, record in enumerate(records)}
    image_rows = [row_of[number] for number in to_numpy(instances["image_id"]).tolist()]
    scales = image_scales(records)[np.array(image_rows, np.int64)]
    boxes = to_numpy(instances["bbox"])
    normalised = normalised_boxes(boxes, scales)
    place_of = {category.id: place for place, category in enumerate(request.categories)}
    categories = to_numpy(instances["category_id"]).tolist()
    scores = to_numpy(instances["score"]).tolist() if scored else ()
    rows = rows_by_image(instances, chosen)
    folder.mkdir(parents=True)
    with request.progress("writing labels", len(records)) as shown:
        for name, record in zip(names, records):
            lines = []
            for row in rows.get(record.id, ()):
                fields = [*map(repr, normalised[row].tolist()), *map(repr, scores[row : row + 1])]
                lines.append(f"{place_of[categories[row]]} {' '.join(fields)}\n")
            (folder / f"{name}.txt").write_text("".join(lines), encoding="utf-8")
            shown.advance(1)
    return changed_rows(boxes[chosen], pixel_boxes(normalised, scales)[chosen])


def _data_file(categories: Sequence[Category], split: str) -> str:
    """A ``data.yaml``; names are quoted as JSON has it, which is YAML too."""
    names = "".join(
        f"  {place}: {json.dumps(category.name)}\n" for place, category in enumerate(categories)
    )
    return f"path: .\n{split}: images/{split}\nnames:\n{names}"
