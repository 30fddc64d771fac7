"""Which file of a folder is about which frame, as Cityscapes' evaluation looks for results."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from benchsuite.errors import InputError
from benchsuite.protocols import Predictions
from benchsuite.records import ImageRecord


def frame_name(record: ImageRecord) -> str:
    """``<city>_<sequence>_<frame>`` of an image.

    Raises:
        InputError: the image's name does not begin like that.
    """
    parts = PurePosixPath(record.file_name).stem.split("_")
    if len(parts) < 3 or not all(parts[:3]):
        raise InputError(
            f"its file_name {record.file_name!r} does not begin with city_sequence_frame, which "
            "results in Cityscapes' format are found by",
            record=f"image id {record.id}",
        )
    return "_".join(parts[:3])


def frame_records(predictions: Predictions) -> list[ImageRecord]:
    """The images that were run."""
    images = predictions.images
    columns = [images[name].to_pylist() for name in ("image_id", "file_name", "width", "height")]
    return [ImageRecord(*row) for row in zip(*columns)]


def result_files(folder: Path, images: Sequence[ImageRecord], ending: str) -> list[Path]:
    """The one file of each image, anywhere below a folder: ``<city>_<sequence>_<frame>*<ending>``.

    Raises:
        InputError: an image has none, or more than one.
    """
    found = sorted(
        (name, os.path.join(parent, name))  # noqa: PTH118  (Path is slow for thousands of masks)
        for parent, _, names in os.walk(folder)
        for name in names
        if name.endswith(ending)
    )
    names = [name for name, _ in found]
    files = []
    for record in images:
        frame = frame_name(record)
        first = last = bisect_left(names, frame)
        while last < len(names) and names[last].startswith(frame):
            last += 1
        if last - first != 1:
            several = " and ".join(path for _, path in found[first : first + 2])
            raise InputError(
                f"holds {several}, of which only one can be the result"
                if several
                else f"holds no {frame}*{ending}",
                file=folder,
                record=f"image id {record.id}",
                remedy=None if several else "An image in which nothing was found needs one too",
            )
        files.append(Path(found[first][1]))
    return files
