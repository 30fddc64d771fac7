"""The segment lists of panoptic maps, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy, is_present, to_numpy

if TYPE_CHECKING:
    from benchsuite_plugins.metrics.map_pairs import MapPairs

LARGEST_SEGMENT = (1 << 24) - 1
"""The largest number that a panoptic map can hold."""


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of I images, S in all, in file order.

    Attributes:
        images: (S,) int64, the place of the image of each.
        ids: (S,) int64, their numbers in the image's map.
        category_ids: (S,) int64.
        iscrowd: (S,) bool.
        areas: (S,) int64, as the list states them; 0 where it does not.
    """

    images: NDArray[np.int64]
    ids: NDArray[np.int64]
    category_ids: NDArray[np.int64]
    iscrowd: NDArray[np.bool_]
    areas: NDArray[np.int64]

    @classmethod
    def of(cls, table: pa.Table, pairs: MapPairs, side: str) -> Segments:
        """The lists of one side's images.

        Raises:
            InputError: an image has no list, or one with a segment twice or with a number that no
                map can hold.
        """
        rows = (pairs.truths if side == "truth" else pairs.predictions).rows
        column: Any = table["segments"].take(from_numpy(rows))
        listed = is_present(column)
        if not listed.all():
            raise pairs.error(int(listed.argmin()), side, "has a map, but no list of segments")
        lengths = [to_numpy(chunk.value_lengths()) for chunk in column.chunks]
        counts = np.concatenate([np.zeros(0, np.int64), *lengths])
        parts = [chunk.flatten() for chunk in column.chunks]

        def field(name: str, dtype: type[Any]) -> NDArray[Any]:
            arrays = [to_numpy(part.field(name)) for part in parts]
            return np.concatenate([np.zeros(0, dtype), *arrays]).astype(dtype)

        segments = cls(
            images=np.repeat(np.arange(len(rows)), counts),
            ids=field("id", np.int64),
            category_ids=field("category_id", np.int64),
            iscrowd=field("iscrowd", np.bool_),
            areas=field("area", np.int64),
        )
        segments._check(pairs, side)
        return segments

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, images: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """(P,) the place of the segment of an image that has a number; -1 where it has none."""
        keys = self._keys()
        order = np.argsort(keys, kind="stable")
        ascending = np.append(keys[order], -1)
        wanted = images << 24 | ids
        places = np.searchsorted(ascending[:-1], wanted)
        return np.where(ascending[places] == wanted, np.append(order, -1)[places], -1)

    def _keys(self) -> NDArray[np.int64]:
        return self.images << 24 | self.ids

    def _check(self, pairs: MapPairs, side: str) -> None:
        outside = np.flatnonzero((self.ids < 0) | (self.ids > LARGEST_SEGMENT))
        if len(outside):
            segment = outside[0]
            raise pairs.error(
                int(self.images[segment]),
                side,
                f"is in the list, but no map can hold its number (0 to {LARGEST_SEGMENT})",
                int(self.ids[segment]),
            )
        keys = self._keys()
        order = np.argsort(keys, kind="stable")
        repeated = np.flatnonzero(np.diff(keys[order]) == 0)
        if len(repeated):
            segment = order[repeated[0]]
            raise pairs.error(
                int(self.images[segment]),
                side,
                "is in the list more than once",
                int(self.ids[segment]),
            )
