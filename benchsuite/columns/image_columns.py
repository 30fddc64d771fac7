"""The images of a dataset, as predictions are held against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import to_numpy
from benchsuite.columns.tables import image_columns, image_sizes
from benchsuite.records import ImageRecord

SHARED = ("image_id", "file_name", "width", "height")
"""The columns that ``TRUTH_IMAGES`` and ``PREDICTION_IMAGES`` share."""


@dataclass(frozen=True, slots=True)
class ImageColumns:
    """The images of a dataset.

    Attributes:
        ids: (I,) int64.
        sizes: (I, 2) int64, height and width in pixels.
        columns: those of ``SHARED``, by name.
    """

    ids: NDArray[np.int64]
    sizes: NDArray[np.int64]
    columns: Mapping[str, Any]

    @classmethod
    def of(cls, images: Sequence[ImageRecord] | pa.Table) -> ImageColumns:
        """The images of records, or of a table that has the columns of ``SHARED``."""
        if isinstance(images, pa.Table):
            sides = [to_numpy(images[side]).astype(np.int64) for side in ("height", "width")]
            shared = {name: images[name] for name in SHARED}
            return cls(to_numpy(images["image_id"]), np.stack(sides, axis=1), shared)
        ids = np.array([image.id for image in images], np.int64)
        return cls(ids, image_sizes(images), image_columns(images))

    def __len__(self) -> int:
        return len(self.ids)

    def records(self) -> tuple[ImageRecord, ...]:
        """The images as records."""
        values = (self.columns[name].to_pylist() for name in SHARED)
        return tuple(ImageRecord(*row) for row in zip(*values))
