"""What a writer goes through: images by name, and each one's objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import to_numpy
from benchsuite.errors import InputError
from benchsuite.records import ImageRecord
from benchsuite_plugins.formats.image_names import stem_of


def image_records(images: pa.Table) -> list[ImageRecord]:
    """The rows of a table of images."""
    columns = [images[name].to_pylist() for name in ("image_id", "file_name", "width", "height")]
    return [ImageRecord(*row) for row in zip(*columns)]


def flat_names(records: Sequence[ImageRecord], source: str) -> list[str]:
    """The images' names without folders and endings, for files that are called after them.

    Raises:
        InputError: an image has no name, or two have the same.
    """
    names: dict[str, ImageRecord] = {}
    for record in records:
        name = stem_of(record.file_name)
        if not name or "\0" in name:
            raise InputError("has no file_name", file=source, record=f"image id {record.id}")
        if name in names:
            raise InputError(
                f"{record.file_name!r} and {names[name].file_name!r} would share a label file",
                file=source,
                record=f"image id {record.id}",
            )
        names[name] = record
    return list(names)


def folders_lost(records: Sequence[ImageRecord]) -> int:
    """Images whose name has a folder, which ``flat_names`` leaves out."""
    return sum("/" in record.file_name for record in records)


def require_sizes(records: Sequence[ImageRecord], source: str) -> None:
    """Raises ``InputError`` for the first image whose size is not known."""
    for record in records:
        if record.width < 1 or record.height < 1:
            raise InputError(
                "the size of the image is not known",
                file=source,
                record=f"image id {record.id}",
                remedy="Give the folder of the images",
            )


def rows_by_image(instances: pa.Table, chosen: NDArray[np.bool_]) -> dict[int, list[int]]:
    """Image id to the rows that are chosen, in their order."""
    rows: dict[int, list[int]] = {}
    ids = to_numpy(instances["image_id"])
    for row in np.flatnonzero(chosen).tolist():
        rows.setdefault(int(ids[row]), []).append(row)
    return rows
