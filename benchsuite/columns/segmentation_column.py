"""The ``segmentation`` field of COCO records as a column: polygons and RLE in, compressed RLE out.

Taken are a list of polygons, RLE with ``counts`` as COCO's compressed string, and RLE with
``counts`` as a list of run lengths. All are kept as they are until ``encode`` checks them and turns
them into compressed RLE, which costs far more than reading them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.record_list import RecordList, integer, number_list, shown
from benchsuite_kernels.columns import rle

MAX_COORDINATE = 1e5
"""Largest absolute polygon coordinate that is taken, in pixels: rasterising costs memory in
proportion to a polygon's circumference, and COCO's own largest area is the square of this."""

_POLYGONS = pa.list_(pa.list_(pa.float64()))


class SegmentationColumn:
    """Segmentations, one a record.

    A segmentation that is malformed is an error only once it is encoded: whoever scores boxes
    alone has no need of it.

    Args:
        records: the records whose ``segmentation`` fields are read.

    Attributes:
        present: (N,) bool, whether a record has a segmentation.
    """

    def __init__(self, records: RecordList) -> None:
        values = records.values("segmentation")
        self._names = records.names
        self._rle: dict[int, tuple[Any, Any]] = {}
        self._malformed: dict[int, str] = {}
        self.present = np.array([value is not None for value in values], np.bool_)
        for row, value in enumerate(values):
            if isinstance(value, (list, tuple, np.ndarray)):
                continue
            if isinstance(value, Mapping):
                self._rle[row] = (value.get("size"), value.get("counts"))
            elif value is not None:
                self._malformed[row] = f"is {shown(value)}, neither polygons nor RLE"
            values[row] = None
        try:
            self._polygons: Any = pa.array(values, _POLYGONS)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            for row, value in enumerate(values):
                try:
                    if value is not None:
                        values[row] = [number_list(polygon) for polygon in value]
                except ValueError as error:
                    values[row], self._malformed[row] = None, f"has a polygon that {error}"
            self._polygons = pa.array(values, _POLYGONS)

    def encode(
        self, sizes: NDArray[np.int64], rows: Iterable[int] | None = None
    ) -> list[bytes | None]:
        """COCO's compressed counts of the masks.

        Args:
            sizes: (N, 2), height and width of each record's image.
            rows: which records; ``None``: all.

        Returns:
            One a row; ``None`` where there is no segmentation.

        Raises:
            InputError: a segmentation is malformed or of another size than its image.
        """
        points = _PolygonPoints(self._polygons)
        encoded: list[bytes | None] = []
        for row in range(len(self._polygons)) if rows is None else rows:
            height, width = int(sizes[row, 0]), int(sizes[row, 1])
            try:
                if row in self._malformed:
                    raise ValueError(self._malformed[row])
                if row in self._rle:
                    encoded.append(compressed_counts(*self._rle[row], height, width))
                elif polygons := points[row]:
                    encoded.append(_rasterised(polygons, height, width))
                else:
                    encoded.append(None)
            except ValueError as error:
                raise self._names.error(row, f"the field 'segmentation' {error}") from None
        return encoded


def compressed_counts(size: Any, counts: Any, height: int, width: int) -> bytes:
    """Compressed counts of an RLE object's two fields, checked against the image's size.

    Raises:
        ValueError: they are malformed or of another size; the message goes on from the field's
            name.
    """
    if not isinstance(size, (list, tuple)) or len(size) != 2:
        raise ValueError(f"has a size that is {shown(size)}, not [height, width]")
    try:
        size = [integer(side) for side in size]
    except ValueError as error:
        raise ValueError(f"has a size that {error}") from None
    if size != [height, width]:
        raise ValueError(
            f"has the size {size} (height, width), but its image has {[height, width]}"
        )
    try:
        if isinstance(counts, list):
            return rle.from_runs([integer(run) for run in counts], (height, width))
        if isinstance(counts, str):
            counts = counts.encode("ascii")
        if not isinstance(counts, bytes):
            raise ValueError(f"counts are {shown(counts)}, neither string nor list")
        rle.validate(counts, (height, width))
    except ValueError as error:
        raise ValueError(f"is malformed: {error}") from None
    return counts


class _PolygonPoints:
    """Rows of a polygon column as lists of float64 arrays."""

    def __init__(self, polygons: Any) -> None:
        self._outer = polygons.offsets.to_numpy()
        self._inner = polygons.values.offsets.to_numpy()
        self._points = polygons.values.values.to_numpy(zero_copy_only=False)

    def __getitem__(self, row: int) -> list[NDArray[np.float64]]:
        first, last = self._outer[row], self._outer[row + 1]
        return [
            self._points[self._inner[place] : self._inner[place + 1]]
            for place in range(first, last)
        ]


def _rasterised(polygons: list[NDArray[np.float64]], height: int, width: int) -> bytes:
    for polygon in polygons:
        if (np.abs(polygon) > MAX_COORDINATE).any():
            raise ValueError(f"has a polygon with a coordinate beyond {MAX_COORDINATE:.0f} pixels")
    try:
        return rle.from_polygons([polygon.tolist() for polygon in polygons], (height, width))
    except ValueError as error:
        raise ValueError(f"is malformed: {error}") from None
