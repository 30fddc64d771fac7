"""YOLO text labels and detections, read.

See ``yolo_labels`` for the lines and ``yolo_folder`` for the folders; ``yolo_writer`` writes them.
"""

from __future__ import annotations

from pathlib import Path

from benchsuite.errors import DataMissingError, InputError
from benchsuite.protocols import Predictions, PredictionsRequest, Truth, TruthRequest
from benchsuite.records import ImageRecord
from benchsuite.specs import Category
from benchsuite_plugins.formats.class_names import numbered
from benchsuite_plugins.formats.image_files import image_sizes
from benchsuite_plugins.formats.image_names import ImageNames, image_ids
from benchsuite_plugins.formats.label_files import CLASS_FILE, label_files
from benchsuite_plugins.formats.label_tables import predictions_of, truth_of
from benchsuite_plugins.formats.yolo_folder import (
    YoloImages,
    find_labelled_images,
)
from benchsuite_plugins.formats.yolo_labels import YoloObjects


def read_truth(request: TruthRequest) -> Truth:
    """Truth of a YOLO dataset. An image without a label file is one without objects.

    Class number ``i`` is category ``i``, by default with the id ``i + 1``. An object with an
    outline has a mask, and the box round the outline. See ``image_names.image_ids`` for ids of
    images.

    Raises:
        DataMissingError: a file or folder is not there; images are needed for their sizes.
        UsageError: the split is not known, or none is named and there are several.
        InputError: a file is malformed, or of a class that is not known; names file and line.
    """
    found = find_labelled_images(request.path, request.images, request.split)
    categories = request.categories or _categories(found, request.path)
    records = [
        ImageRecord(number, name, width, height)
        for number, name, (width, height) in zip(
            image_ids(found.names), found.names, image_sizes(found.files, request.progress)
        )
    ]
    objects = YoloObjects()
    with request.progress("reading labels", len(found.labels)) as shown:
        for row, file in enumerate(found.labels):
            if file.is_file():
                objects.read(file, row, len(categories), scored=False)
            shown.advance(1)
    return truth_of(
        records,
        categories,
        objects.image_rows,
        objects.classes,
        objects.pixel_boxes(records),
        masks=objects.masks(records),
        source=str(request.path),
    )


def _categories(found: YoloImages, path: Path) -> tuple[Category, ...]:
    if not found.classes:
        raise InputError(
            f"no file says what its classes are called (data.yaml or {CLASS_FILE})",
            file=path,
            remedy="Give a file of class names, one a line",
        )
    return numbered(found.classes)


def read_predictions(request: PredictionsRequest) -> Predictions:
    """Detections of a folder of label files whose lines end with a confidence.

    Class number ``i`` is the dataset's category at place ``i``. An image without a file is one in
    which nothing was found.

    Raises:
        DataMissingError: there is no label file.
        InputError: a line is malformed, or a file belongs to no image of the dataset.
    """
    folder = request.path / "labels" if (request.path / "labels").is_dir() else request.path
    files = label_files(folder)
    if not files:
        raise DataMissingError(f"there are no label files (*.txt) in {folder}")
    names = ImageNames(request.images)
    objects = YoloObjects()
    with request.progress("reading detections", len(files)) as shown:
        for file in files:
            name = file.relative_to(folder).with_suffix("").as_posix()
            row = names.row(name)
            if row is None:
                which = "several images" if names.means_several(name) else "no image"
                raise InputError(f"is called as {which} of the dataset", file=file)
            objects.read(file, row, len(request.categories), scored=True)
            shown.advance(1)
    return predictions_of(
        request.images,
        request.categories,
        objects.image_rows,
        objects.classes,
        objects.pixel_boxes(request.images),
        objects.scores,
        masks=objects.masks(request.images),
        source=str(request.path),
    )
