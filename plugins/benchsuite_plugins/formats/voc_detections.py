"""Detections as the Pascal VOC development kit takes them: a text file a category.

``comp4_det_test_car.txt`` holds a line a detection: ``000004 0.702732 89 112 516 466``, the image's
name, score, and xmin, ymin, xmax, ymax in pixels counted from 1 (see ``voc_annotations``).
``comp3`` and ``comp4`` are the challenge's two competitions, ``test`` is the split.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchsuite.columns.arrow_arrays import is_present, to_numpy
from benchsuite.errors import DataMissingError, InputError, UsageError
from benchsuite.protocols import Predictions, PredictionsRequest, WriteRequest
from benchsuite.specs import Category
from benchsuite_plugins.formats.image_names import ImageNames
from benchsuite_plugins.formats.label_tables import predictions_of
from benchsuite_plugins.formats.losses import changed_rows, prediction_losses
from benchsuite_plugins.formats.recognition import VOC_DETECTIONS
from benchsuite_plugins.formats.text_file import line_error, lines_of, numbers, shortened
from benchsuite_plugins.formats.voc_writer import plain, read_edges, voc_edges
from benchsuite_plugins.formats.written_images import flat_names, folders_lost, image_records


def read_predictions(request: PredictionsRequest) -> Predictions:
    """Detections of a folder of such files, category by category, in the order of their files.

    A category without a file has no detections.

    Raises:
        DataMissingError: there is no such file at all.
        UsageError: there are files of several splits or competitions.
        InputError: a line is malformed or names an unknown image, or a file an unknown category
            (unless it is empty).
    """
    files = _files(request.path, request.categories)
    names = ImageNames(request.images)
    image_rows, category_rows, scores, edges = [], [], [], []
    with request.progress("reading detections", len(files)) as shown:
        for place, file in files:
            for line, text in lines_of(file):
                fields = text.split()
                if len(fields) != 6:
                    raise line_error(
                        file,
                        line,
                        f"has {len(fields)} fields, not 6: image, score, xmin, ymin, xmax, ymax",
                    )
                score, *box = numbers(fields[1:], file, line)
                row = names.row(fields[0])
                if row is None:
                    raise line_error(
                        file, line, f"the image {shortened(fields[0])} is not in the dataset"
                    )
                if box[2] < box[0] - 1 or box[3] < box[1] - 1:
                    raise line_error(file, line, "the box has a negative width or height")
                image_rows.append(row)
                category_rows.append(place)
                scores.append(score)
                edges.append(box)
            shown.advance(1)
    return predictions_of(
        request.images,
        request.categories,
        image_rows,
        category_rows,
        read_edges(np.array(edges, np.float64).reshape(-1, 4)),
        scores,
        source=str(request.path),
    )


def _files(folder: Path, categories: Sequence[Category]) -> list[tuple[int, Path]]:
    """Place of the category and file, in the categories' order."""
    files = sorted(folder.glob("*.txt"))
    found = [file for file in files if re.fullmatch(VOC_DETECTIONS, file.name)]
    if not found:
        raise DataMissingError(
            f"there are no VOC detection files (comp4_det_test_CATEGORY.txt) in {folder}"
        )
    files, sets = [], set()
    for file in found:
        fitting = [
            place for place, each in enumerate(categories) if file.stem.endswith(f"_{each.name}")
        ]
        if not fitting and not any(lines_of(file)):
            continue
        if not fitting:
            raise InputError("its name ends with no category of the dataset", file=file)
        # Both the split and a category may hold underscores.
        place = max(fitting, key=lambda place: len(categories[place].name))
        sets.add(file.stem.removesuffix(f"_{categories[place].name}"))
        files.append((place, file))
    if len(sets) > 1:
        raise UsageError(
            f"{folder} holds detections of {' and '.join(sorted(sets))}: one is needed"
        )
    return sorted(files)


def write_predictions(predictions: Predictions, request: WriteRequest) -> Mapping[str, int]:
    """Writes a file for each category, empty where nothing was found.

    Returns:
        What the files cannot hold, counted. Detections without a box are left out.

    Raises:
        InputError: two images share a name, or a category's name is no name for a file.
    """
    records = image_records(predictions.images)
    names = dict(zip((r.id for r in records), flat_names(records, predictions.source)))
    instances = predictions.instances.sort_by("prediction")
    boxes, written = to_numpy(instances["bbox"]), is_present(instances["bbox"])
    edges = voc_edges(boxes)
    lines: dict[int, list[str]] = {category.id: [] for category in request.categories}
    columns = (to_numpy(instances[name]).tolist() for name in ("image_id", "category_id", "score"))
    for image, category, score, corners, there in zip(*columns, edges.tolist(), written.tolist()):
        if there:
            sides = " ".join(map(plain, corners))
            lines[category].append(f"{names[image]} {score!r} {sides}\n")
    request.path.mkdir()
    for category in request.categories:
        if "/" in category.name or "\0" in category.name:
            raise InputError(f"the category {category.name!r} cannot be in a file's name")
        file = request.path / f"comp4_det_{request.split}_{category.name}.txt"
        file.write_text("".join(lines[category.id]), encoding="utf-8")
    own = {
        "detections without a box": int((~written).sum()),
        "last digits of boxes": changed_rows(boxes[written], read_edges(edges[written])),
        "folders of images": folders_lost(records),
    }
    lost = prediction_losses(predictions, ("bbox",))
    return lost | {noun: count for noun, count in own.items() if count}
