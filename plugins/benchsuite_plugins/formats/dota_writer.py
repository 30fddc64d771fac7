"""Writing DOTA text labels and detections: see ``dota`` for the format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import is_present, to_numpy
from benchsuite.errors import InputError
from benchsuite.protocols import Predictions, Truth, WriteRequest
from benchsuite.specs import Category
from benchsuite_kernels.columns.rotated_boxes import corners, smallest_boxes
from benchsuite_plugins.formats.class_names import numbered, write_class_names
from benchsuite_plugins.formats.dota import NAMES, VERSIONS, written_name
from benchsuite_plugins.formats.losses import changed_rows, prediction_losses, truth_losses
from benchsuite_plugins.formats.recognition import DOTA_LABELS
from benchsuite_plugins.formats.written_images import (
    flat_names,
    folders_lost,
    image_records,
    rows_by_image,
)

_KEPT = ("bbox", "rotated_box", "difficult")


def write_truth(truth: Truth, request: WriteRequest) -> Mapping[str, int]:
    """Writes ``labelTxt`` with a file for each image; the images themselves are not copied.

    Categories other than DOTA's are listed in ``classes.txt``, since not all need have objects. An
    object without a rotated box is written with the corners of its box. Crowd regions become
    difficult objects, which are not to be found either.

    Returns:
        What DOTA cannot hold, counted. Objects without either box are left out.

    Raises:
        InputError: two images would share a file, or two categories a name.
    """
    instances = truth.instances
    quadrilaterals, written = _quadrilaterals(instances)
    crowd = to_numpy(instances["iscrowd"])
    difficult = crowd | to_numpy(instances["difficult"])
    labels = _labels(truth.categories, truth.source)
    categories = to_numpy(instances["category_id"]).tolist()
    records = image_records(truth.images)
    names = flat_names(records, truth.source)
    rows = rows_by_image(instances, written)
    folder = request.path / DOTA_LABELS
    folder.mkdir(parents=True)
    with request.progress("writing labels", len(records)) as shown:
        for name, record in zip(names, records):
            lines = [
                f"{_written(quadrilaterals[row])} {labels[categories[row]]} {int(difficult[row])}\n"
                for row in rows.get(record.id, ())
            ]
            (folder / f"{name}.txt").write_text("".join(lines), encoding="utf-8")
            shown.advance(1)
    if truth.categories not in [numbered(NAMES[:count]) for count in VERSIONS]:
        write_class_names(request.path, truth.categories)
    own = {
        "objects without a box": int((~written).sum()),
        "crowd flags (difficult now)": int(crowd.sum()),
        "last digits of rotated boxes": _rounded(instances, quadrilaterals),
        "folders of images": folders_lost(records),
    }
    lost = truth_losses(truth, _KEPT, written=written)
    return lost | {noun: count for noun, count in own.items() if count}


def write_predictions(predictions: Predictions, request: WriteRequest) -> Mapping[str, int]:
    """Writes a file of Task 1 for each category, empty where nothing was found.

    Returns:
        What the files cannot hold, counted. Detections without either box are left out.

    Raises:
        InputError: two images share a name, or a category's name is no name for a file.
    """
    instances = predictions.instances.sort_by("prediction")
    quadrilaterals, written = _quadrilaterals(instances)
    records = image_records(predictions.images)
    names = dict(zip((r.id for r in records), flat_names(records, predictions.source)))
    lines: dict[int, list[str]] = {category.id: [] for category in request.categories}
    columns = (to_numpy(instances[name]).tolist() for name in ("image_id", "category_id", "score"))
    for row, (image, category, score) in enumerate(zip(*columns)):
        if written[row]:
            text = f"{names[image]} {score!r} {_written(quadrilaterals[row])}\n"
            lines[category].append(text)
    labels = _labels(request.categories, predictions.source)
    request.path.mkdir()
    for number, label in labels.items():
        if "/" in label or "\0" in label:
            raise InputError(f"the category {label!r} cannot be in a file's name")
        file = request.path / f"Task1_{label}.txt"
        file.write_text("".join(lines[number]), encoding="utf-8")
    own = {
        "detections without a box": int((~written).sum()),
        "last digits of rotated boxes": _rounded(instances, quadrilaterals),
        "folders of images": folders_lost(records),
    }
    lost = prediction_losses(predictions, ("bbox", "rotated_box"))
    return lost | {noun: count for noun, count in own.items() if count}


def _quadrilaterals(instances: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(N, 4, 2) corners of rotated boxes, else of boxes; and (N,) whether there is either."""
    rotated, turned = to_numpy(instances["rotated_box"]), is_present(instances["rotated_box"])
    boxes = to_numpy(instances["bbox"])
    left, top = boxes[:, 0], boxes[:, 1]
    right, bottom = left + boxes[:, 2], top + boxes[:, 3]
    upright = np.stack([left, top, right, top, right, bottom, left, bottom], axis=1)
    found = np.where(turned[:, None, None], corners(rotated), upright.reshape(-1, 4, 2))
    return found, turned | is_present(instances["bbox"])


def _written(corners_of_one: NDArray[np.float64]) -> str:
    return " ".join(map(repr, corners_of_one.ravel().tolist()))


def _labels(categories: Sequence[Category], source: str) -> dict[int, str]:
    """What each category is called in the files, by id."""
    labels = {category.id: written_name(category) for category in categories}
    if len(set(labels.values())) < len(labels):
        raise InputError("two categories have the same name, if space is a hyphen", file=source)
    return labels


def _rounded(instances: pa.Table, quadrilaterals: NDArray[np.float64]) -> int:
    """Rotated boxes that are read back with other last digits."""
    rotated, turned = to_numpy(instances["rotated_box"]), is_present(instances["rotated_box"])
    return changed_rows(rotated[turned], smallest_boxes(quadrilaterals[turned]))
