"""Predicted instances as Cityscapes' evaluation takes them: a text file an image, a PNG a mask.

A line of ``<city>_<sequence>_<frame>*.txt`` is ``mask.png labelId confidence``, parted by single
spaces; the path is relative to the text file. Of lines that name the same mask the last is meant,
at the place of the first.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchsuite.columns.arrow_arrays import from_numpy, from_values
from benchsuite.columns.tables import filled_table, image_columns
from benchsuite.errors import ContractError, DataMissingError, InputError
from benchsuite.protocols import Predictions, PredictionsRequest, WriteRequest
from benchsuite.records import ImageRecord
from benchsuite.schemas import PREDICTION_IMAGES, PREDICTION_INSTANCES, RLE_TYPE
from benchsuite_kernels.columns import rle
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.datasets.cityscapes.labels import LABELS, LICENSE_PLATE
from benchsuite_plugins.formats.cityscapes_files import frame_name, frame_records, result_files
from benchsuite_plugins.formats.cityscapes_masks import decode_mask, encode_mask

MASKS = "masks"
"""The folder that masks are written into, below that of the text files."""

_LABEL_IDS = frozenset([LICENSE_PLATE, *(label.id for label in LABELS)])


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a text file: what it says, and where it is.

    Attributes:
        image: that it is about.
        place: file and line, for messages.
    """

    image: ImageRecord
    mask: Path
    label: int
    score: float
    place: str


def read_predictions(request: PredictionsRequest) -> Predictions:
    """The instances on all images.

    Labels that are not evaluated are kept: Cityscapes' metric leaves them out.

    Raises:
        DataMissingError: a mask is not there.
        InputError: an image has no text file or several, a line is malformed, or a mask cannot be
            read or is of another size than its image.
    """
    root, images = request.path, request.images
    lines = [
        line
        for image, file in zip(images, result_files(root, images, ".txt"))
        for line in _read_lines(image, file, root)
    ]
    masks = []
    with (
        ThreadPoolExecutor(evaluation_threads()) as workers,
        request.progress("reading masks", len(lines)) as shown,
    ):
        for mask in workers.map(_read_mask, lines):
            masks.append(mask)
            shown.advance(1)
    ids = np.array([line.image.id for line in lines], np.int64)
    columns: dict[str, Any] = {
        "prediction": from_numpy(np.arange(len(lines))),
        "image_id": from_numpy(ids),
        "category_id": from_numpy(np.array([line.label for line in lines], np.int64)),
        "score": from_numpy(np.array([line.score for line in lines], np.float64)),
        "segmentation": from_values(masks, RLE_TYPE),
    }
    counts = np.array([(ids == image.id).sum() for image in images], np.int32)
    of_images = {**image_columns(images), "n_instances": from_numpy(counts)}
    return Predictions(
        images=filled_table(of_images, PREDICTION_IMAGES, len(images)),
        instances=filled_table(columns, PREDICTION_INSTANCES, len(lines)),
        source=str(root),
    )


def _read_lines(image: ImageRecord, file: Path, root: Path) -> list[_Line]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read as text: {error}", file=file) from error
    found: dict[Path, _Line] = {}
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), start=1):
        try:
            mask, label, score = _fields(line, file, root)
        except ValueError as error:
            raise InputError(str(error), file=file, record=f"line {number}") from None
        found[mask] = _Line(image, mask, label, score, f"{file}, line {number}")
    return list(found.values())


def _fields(line: str, file: Path, root: Path) -> tuple[Path, int, float]:
    """Mask, label id and score. Raises ``ValueError`` with what is wrong."""
    fields = line.split(" ")
    if len(fields) != 3:
        raise ValueError(f"is {line[:60]!r}, not 'mask.png labelId confidence'")
    # Names are compared, links are not followed.
    mask = Path(os.path.abspath(file.parent / fields[0]))  # noqa: PTH100
    if Path(fields[0]).is_absolute() or not mask.is_relative_to(os.path.abspath(root)):  # noqa: PTH100
        raise ValueError(f"names the mask {fields[0]!r}, which is not a path below {root}")
    try:
        label, score = int(float(fields[1])), float(fields[2])
    except (ValueError, OverflowError):
        raise ValueError(f"{fields[1]!r} is no label id or {fields[2]!r} no number") from None
    if label not in _LABEL_IDS:
        raise ValueError(f"{label} is no label id of Cityscapes")
    if np.isnan(score):
        raise ValueError("the confidence is not a number")
    return mask, label, score


def _read_mask(line: _Line) -> dict[str, Any]:
    """The mask, as ``schemas.RLE_TYPE`` takes it."""
    try:
        inside = decode_mask(line.mask.read_bytes(), line.mask)
    except FileNotFoundError:
        raise DataMissingError(f"{line.place}: the mask {line.mask} is not there") from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", file=line.mask) from error
    size = (line.image.height, line.image.width)
    if inside.shape != size:
        raise InputError(
            f"is of {inside.shape} pixels (height, width), image id {line.image.id} of {size}",
            file=line.mask,
            record=f"named by {line.place}",
        )
    return {"size": list(size), "counts": rle.encode(inside)}


def write_predictions(predictions: Predictions, request: WriteRequest) -> Mapping[str, int]:
    """Writes the folder: ``<frame>.txt`` for every image, masks below ``masks``.

    Returns:
        What it cannot hold, counted.

    Raises:
        ContractError: a prediction has no mask, or its category is no label of Cityscapes.
        InputError: an image is no frame of Cityscapes, by its name.
    """
    lines: dict[int, list[str]] = {}
    names = {}
    for record in frame_records(predictions):
        names[record.id], lines[record.id] = frame_name(record), []
    (request.path / MASKS).mkdir(parents=True)
    instances = predictions.instances.sort_by("prediction")
    columns = ["image_id", "category_id", "score", "segmentation"]
    with request.progress("writing masks", len(instances)) as shown:
        for batch in instances.select(columns).to_batches(max_chunksize=256):
            for row in batch.to_pylist():
                of_image = lines[row["image_id"]]
                if row["segmentation"] is None or row["category_id"] not in _LABEL_IDS:
                    raise ContractError(
                        f"a prediction on image id {row['image_id']} has no mask, or the category "
                        f"{row['category_id']}, which is no label id of Cityscapes"
                    )
                mask = f"{MASKS}/{names[row['image_id']]}_{len(of_image):04}.png"
                rle_object = row["segmentation"]
                encoded = encode_mask(rle_object["counts"], tuple(rle_object["size"]))
                (request.path / mask).write_bytes(encoded)
                of_image.append(f"{mask} {row['category_id']} {row['score']!r}\n")
                shown.advance(1)
    for image_id, of_image in lines.items():
        text = "".join(of_image)
        (request.path / f"{names[image_id]}.txt").write_text(text, encoding="utf-8")
    return {
        noun: len(column) - column.null_count
        for noun, column in (("boxes", instances["bbox"]), ("keypoints", instances["keypoints"]))
        if column.null_count < len(column)
    }
