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
from benchsuite_kernels.columns import rle as rle_counts
from numpy.typing import NDArray

from benchsuite.record_list import RecordList, integer, number_list, shown
from benchsuite.schemas import RLE_TYPE

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
            if isinstance(value, list):
                continue
            if isinstance(value, Mapping):
                self._rle[row] = (value.get("size"), value.get("counts"))
            elif value is not None:
                self._malformed[row] = f"is {shown(value)}, neither polygons nor RLE"
            values[row] = None
        try:
            self._polygons = pa.array(values, _POLYGONS)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            for row, value in enumerate(values):
                try:
                    values[row] = value and [number_list(polygon) for polygon in value]
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


def rle_array(counts: list[bytes | None], sizes: NDArray[np.int64]) -> pa.StructArray:
    """``schemas.RLE_TYPE`` of counts (null where ``None``) and (N, 2) heights and widths."""
    missing = np.array([value is None for value in counts], np.bool_)
    return pa.StructArray.from_arrays(
        [
            pa.FixedSizeListArray.from_arrays(pa.array(sizes.astype(np.int32).ravel()), 2),
            pa.array(counts, pa.binary()),
        ],
        fields=list(RLE_TYPE),
        mask=pa.array(missing),
    )


def mask_areas(counts: list[bytes], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N,) areas in pixels of masks, given as compressed counts and (N, 2) heights and widths."""
    from pycocotools import mask

    masks = [{"size": size, "counts": one_mask} for size, one_mask in zip(sizes.tolist(), counts)]
    return np.asarray(mask.area(masks), np.float64).reshape(-1)


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
    if isinstance(counts, list):
        return _from_runs(counts, height, width)
    if isinstance(counts, str):
        if not counts.isascii():
            raise ValueError("has counts that are not ASCII")
        counts = counts.encode("ascii")
    if not isinstance(counts, bytes):
        raise ValueError(f"has counts that are {shown(counts)}, neither string nor list")
    try:
        rle_counts.validate(counts, (height, width))
    except ValueError as error:
        raise ValueError(f"has malformed counts: {error}") from None
    return counts


def _from_runs(runs: list[Any], height: int, width: int) -> bytes:
    try:
        lengths = [integer(run) for run in runs]
    except ValueError as error:
        raise ValueError(f"has a run that {error}") from None
    if min(lengths, default=0) < 0:
        raise ValueError("has a run of negative length")
    if sum(lengths) != height * width:
        raise ValueError(
            f"has runs of {sum(lengths)} pixels in all, but its image has {height * width}"
        )
    from pycocotools import mask

    counts: bytes = mask.frPyObjects({"size": [height, width], "counts": lengths}, height, width)[
        "counts"
    ]
    return counts


class _PolygonPoints:
    """Rows of a polygon column as lists of float64 arrays."""

    def __init__(self, polygons: pa.ListArray) -> None:
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
        if len(polygon) % 2:
            raise ValueError(f"has a polygon of {len(polygon)} numbers, which are no (x, y) pairs")
        if len(polygon) < 6:
            raise ValueError(f"has a polygon of {len(polygon) // 2} points; it takes at least 3")
        if not (np.abs(polygon) <= MAX_COORDINATE).all():
            raise ValueError(f"has a polygon with a coordinate beyond {MAX_COORDINATE:.0f} pixels")
    from pycocotools import mask

    counts: bytes = mask.merge(mask.frPyObjects(polygons, height, width))["counts"]
    return counts
