"""DOTA text labels and detections: quadrilaterals in pixels.

Labels are a file an image (``labelTxt/P0001.txt``), a line an object: ``x1 y1 x2 y2 x3 y3 x4 y4
category difficult``, after lines such as ``imagesource:GoogleEarth``. Detections are a file a
category (``Task1_plane.txt``), a line each: ``image score x1 y1 x2 y2 x3 y3 x4 y4``.

A quadrilateral is read as the rotated box of the smallest area round it (``smallest_boxes``), so
that one that is no rectangle loses its shape.

Xia et al., DOTA: A Large-scale Dataset for Object Detection in Aerial Images, 2018.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchsuite.errors import DataMissingError, InputError
from benchsuite.protocols import Predictions, PredictionsRequest, Truth, TruthRequest
from benchsuite.records import ImageRecord
from benchsuite.specs import Category
from benchsuite_kernels.columns.rotated_boxes import smallest_boxes
from benchsuite_plugins.formats.class_names import listed_categories, numbered
from benchsuite_plugins.formats.image_files import by_stem, find_images, image_sizes
from benchsuite_plugins.formats.image_names import ImageNames, image_ids
from benchsuite_plugins.formats.label_files import label_files
from benchsuite_plugins.formats.label_tables import predictions_of, truth_of
from benchsuite_plugins.formats.recognition import DOTA_DETECTIONS, DOTA_HEADER, DOTA_LABELS
from benchsuite_plugins.formats.text_file import (
    line_error,
    lines_of,
    numbers,
    shortened,
)

NAMES = (
    "plane",
    "ship",
    "storage-tank",
    "baseball-diamond",
    "tennis-court",
    "basketball-court",
    "ground-track-field",
    "harbor",
    "bridge",
    "large-vehicle",
    "small-vehicle",
    "helicopter",
    "roundabout",
    "soccer-ball-field",
    "swimming-pool",
    "container-crane",
    "airport",
    "helipad",
)
"""The first 15 are those of DOTA 1.0, the first 16 those of 1.5, all of them those of 2.0."""

VERSIONS = (15, 16, 18)

Object = tuple[int, str, list[float], bool]
"""Line, category, eight coordinates, difficult."""


def read_truth(request: TruthRequest) -> Truth:
    """Truth of a folder of label files.

    Where no categories are given, they are those of ``classes.txt``, if it is there, else those of
    the first version of DOTA that has all that occur, else those that occur, by name, with ids from
    1. Sizes are those of the images, which are
    looked for in ``images``; where they are not there, sizes are 0: what is scored needs none.

    Raises:
        DataMissingError: there is no label file, or an image is missing from the image folder.
        InputError: a line is malformed, or of a category that is not known; names file and line.
    """
    folder = request.path / DOTA_LABELS if (request.path / DOTA_LABELS).is_dir() else request.path
    if request.split is not None:
        folder = _split_folder(request.path, request.split)
    files = label_files(folder, below=False)
    if not files:
        raise DataMissingError(f"there are no DOTA labels (*.txt) in {folder}")
    objects: list[list[Object]] = []
    with request.progress("reading labels", len(files)) as shown:
        for file in files:
            objects.append(read_labels(file))
            shown.advance(1)
    folders = (request.path, folder.parent)
    listed = next(filter(None, map(listed_categories, folders)), ())
    categories = request.categories or listed or _categories(objects)
    places = _places(categories)
    image_rows, category_rows, corners, difficult = [], [], [], []
    for row, of_image in enumerate(objects):
        for line, name, coordinates, hard in of_image:
            if name not in places:
                raise line_error(files[row], line, f"the category {shortened(name)} is not known")
            image_rows.append(row)
            category_rows.append(places[name])
            corners.append(coordinates)
            difficult.append(hard)
    quadrilaterals = np.array(corners, np.float64).reshape(-1, 4, 2)
    return truth_of(
        _records([file.stem for file in files], request, folder),
        categories,
        image_rows,
        category_rows,
        _enclosing_boxes(quadrilaterals),
        rotated=smallest_boxes(quadrilaterals),
        difficult=difficult,
        source=str(request.path),
    )


def _split_folder(path: Path, split: str) -> Path:
    for folder in (path / split / DOTA_LABELS, path / DOTA_LABELS / split, path / split):
        if folder.is_dir():
            return folder
    raise DataMissingError(
        f"there are no labels of the split {split!r}: no {path / split / DOTA_LABELS}"
    )


def read_labels(file: Path) -> list[Object]:
    """The objects of one label file.

    Raises:
        InputError: a line is malformed.
    """
    objects = []
    for line, text in lines_of(file):
        if re.match(DOTA_HEADER, text):
            continue
        fields = text.split()
        if len(fields) not in (9, 10):
            raise line_error(
                file,
                line,
                f"has {len(fields)} fields, not 8 coordinates, a category and whether it is"
                " difficult",
            )
        flag = fields[9] if len(fields) == 10 else "0"
        if flag not in ("0", "1", "2"):
            raise line_error(file, line, f"difficult is {shortened(flag)}, not 0 or 1")
        objects.append((line, fields[8], numbers(fields[:8], file, line), flag != "0"))
    return objects


def read_predictions(request: PredictionsRequest) -> Predictions:
    """Detections of Task 1, category by category, in the order of their files.

    A category without a file has no detections.

    Raises:
        DataMissingError: there is no such file at all.
        InputError: a line is malformed or names an unknown image, or a file an unknown category
            (unless it is empty).
    """
    found = [
        (file, match["name"])
        for file in sorted(request.path.glob("Task1_*.txt"))
        if (match := re.fullmatch(DOTA_DETECTIONS, file.name))
    ]
    if not found:
        raise DataMissingError(f"there are no files Task1_CATEGORY.txt in {request.path}")
    places = _places(request.categories)
    names = ImageNames(request.images)
    image_rows, category_rows, scores, corners = [], [], [], []
    with request.progress("reading detections", len(found)) as shown:
        for file, category in found:
            if category not in places and any(lines_of(file)):
                raise InputError(f"the category {category!r} is not in the dataset", file=file)
            for line, text in lines_of(file):
                name, *fields = text.split()
                if len(fields) != 9:
                    raise line_error(
                        file,
                        line,
                        f"has {len(fields) + 1} fields, not 10: image, score, 8 coordinates",
                    )
                score, *coordinates = numbers(fields, file, line)
                row = names.row(name)
                if row is None:
                    raise line_error(
                        file, line, f"the image {shortened(name)} is not in the dataset"
                    )
                image_rows.append(row)
                category_rows.append(places[category])
                scores.append(score)
                corners.append(coordinates)
            shown.advance(1)
    quadrilaterals = np.array(corners, np.float64).reshape(-1, 4, 2)
    return predictions_of(
        request.images,
        request.categories,
        image_rows,
        category_rows,
        _enclosing_boxes(quadrilaterals),
        scores,
        rotated=smallest_boxes(quadrilaterals),
        source=str(request.path),
    )


def written_name(category: Category) -> str:
    """A category's name as DOTA's files can hold it: space, which ends a field, is a hyphen."""
    return "-".join(category.name.split())


def _places(categories: Sequence[Category]) -> dict[str, int]:
    """Place of each category by its name, as it is and as it is written."""
    as_written = {written_name(category): place for place, category in enumerate(categories)}
    return as_written | {category.name: place for place, category in enumerate(categories)}


def _enclosing_boxes(quadrilaterals: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 4) upright boxes ``x, y, width, height`` round (N, 4, 2) corners."""
    low, high = quadrilaterals.min(axis=1), quadrilaterals.max(axis=1)
    return np.column_stack([low, high - low])


def _categories(objects: Sequence[Sequence[Object]]) -> tuple[Category, ...]:
    found = {name for of_image in objects for _, name, _, _ in of_image}
    for count in VERSIONS:
        if found <= set(NAMES[:count]):
            return numbered(NAMES[:count])
    return numbered(sorted(found))


def _records(names: Sequence[str], request: TruthRequest, folder: Path) -> list[ImageRecord]:
    ids = image_ids(names)
    images = request.images or folder.parent / "images"
    if request.images is None and not images.is_dir():
        return [ImageRecord(number, f"{name}.png", 0, 0) for number, name in zip(ids, names)]
    files = by_stem(find_images(images), images)
    for name in names:
        if name not in files:
            raise DataMissingError(f"there is no image {name} in {images}")
    paths = [files[name] for name in names]
    sizes = image_sizes(paths, request.progress)
    return [
        ImageRecord(number, path.relative_to(images).as_posix(), *size)
        for number, path, size in zip(ids, paths, sizes)
    ]
