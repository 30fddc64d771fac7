"""Masks of many records as COCO's compressed RLE, in one buffer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import binary_from_numpy, from_numpy
from benchsuite.schemas import RLE_TYPE
from benchsuite_kernels.columns import rle_batch
from benchsuite_kernels.threads import evaluation_threads


@dataclass(frozen=True, slots=True)
class EncodedMasks:
    """The masks of N records.

    Attributes:
        counts: (B,) uint8, the compressed counts one after the other.
        offsets: (N + 1,) int64, where those of each record begin, and the last end.
        present: (N,) bool; the counts of a record without a mask are empty.
    """

    counts: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    present: NDArray[np.bool_]

    def areas(self) -> NDArray[np.int64]:
        """(N,) int64, pixels inside each mask; 0 where there is none."""
        found = np.zeros(len(self.present), np.int64)
        offsets = np.append(self.offsets[:-1][self.present], self.offsets[-1])
        found[self.present] = rle_batch.areas(self.counts, offsets, threads=evaluation_threads())
        return found

    def column(self, sizes: NDArray[np.integer[Any]]) -> pa.Array[Any] | pa.ChunkedArray[Any]:
        """``schemas.RLE_TYPE``, null where a record has no mask.

        Args:
            sizes: (N, 2), height and width of each record's image.
        """
        counts = binary_from_numpy(self.counts, self.offsets)
        size = from_numpy(np.ascontiguousarray(sizes, np.int32))
        chunks, start = [], 0
        for part in counts.chunks if isinstance(counts, pa.ChunkedArray) else [counts]:
            stop = start + len(part)
            absent = from_numpy(~self.present[start:stop])
            fields = [size.slice(start, len(part)), part]
            chunks.append(pa.StructArray.from_arrays(fields, fields=list(RLE_TYPE), mask=absent))
            start = stop
        return chunks[0] if len(chunks) == 1 else pa.chunked_array(chunks)


def interleaved(
    parts: Sequence[tuple[NDArray[np.intp], NDArray[np.uint8], NDArray[np.int64]]], rows: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Byte strings of which each part holds some, put in the order of their rows.

    Args:
        parts: (K,) ascending rows, and their strings as a buffer and (K + 1,) offsets from 0 on.
        rows: how many rows there are in all; one that is in no part gets an empty string.

    Returns:
        A buffer and (rows + 1,) offsets.
    """
    parts = [part for part in parts if len(part[0])]
    lengths = np.zeros(rows, np.int64)
    for places, _, offsets in parts:
        lengths[places] = np.diff(offsets)
    ends = np.zeros(rows + 1, np.int64)
    np.cumsum(lengths, out=ends[1:])
    if len(parts) == 1:
        return parts[0][1], ends
    joined = np.empty(ends[-1], np.uint8)
    if parts:
        # Stretches of rows that follow one another in the same part are copied at once.
        owner = np.full(rows, -1)
        for number, (places, _, _) in enumerate(parts):
            owner[places] = number
        taken = [0] * len(parts)
        held = np.flatnonzero(owner >= 0)
        starts = np.flatnonzero(np.diff(owner[held], prepend=-1))
        for start, stop in zip(starts, [*starts[1:], len(held)]):
            number = owner[held[start]]
            _, buffer, offsets = parts[number]
            first, last = taken[number], taken[number] + int(stop - start)
            taken[number] = last
            text = buffer[offsets[first] : offsets[last]]
            place = ends[held[start]]
            joined[place : place + len(text)] = text
    return joined, ends
