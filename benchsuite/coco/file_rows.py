"""Rows that are columns of a scanned COCO file: no record is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.coco.file_masks import FileMasks
from benchsuite.errors import InputError
from benchsuite_kernels.columns import rle_batch
from benchsuite_kernels.columns.overlaps import Masks


@dataclass(frozen=True, slots=True)
class FileRows:
    """Rows as a file has them; see ``rows.Rows``.

    Attributes:
        columns: name to (N,) or, for lists, (N, L): the fields that every record of the file has.
        file_masks: the masks of all records of the file.
        of_file: (N,) int64, the places of the rows in the file.
        kind: what messages call a record.
    """

    columns: Mapping[str, NDArray[Any]]
    file_masks: FileMasks
    of_file: NDArray[np.int64]
    kind: str

    def __len__(self) -> int:
        return len(self.of_file)

    def serves(self, task: str, *, scored: bool) -> bool:
        """Whether the rows have what the task is evaluated by: detections scores, truths none."""
        needed = {"area", *(["score"] if scored else [])}
        needed |= {"bbox": {"bbox"}, "segm": set(), "keypoints": {"keypoints"}}[task]
        if task == "keypoints" and not scored:
            needed.add("bbox")
        return needed <= self.columns.keys() and (task != "segm" or self.file_masks.complete)

    def take(self, rows: NDArray[np.int64]) -> FileRows:
        taken = {name: column[rows] for name, column in self.columns.items()}
        return replace(self, columns=taken, of_file=self.of_file[rows])

    def with_ignored(self, task: str) -> FileRows:
        """Truths, with what is not to be found."""
        ignored = self.columns["iscrowd"] != 0
        if task == "keypoints":
            ignored = ignored | self.columns["unseen"]
        return replace(self, columns={**self.columns, "ignore": ignored})

    def places(self, field: str, ids: Sequence[Any]) -> NDArray[np.int64]:
        column = self.columns[field]
        # Records of an image mostly stand together.
        starts = np.flatnonzero(np.diff(column, prepend=~column[:1]))
        known, which = np.unique(column[starts], return_inverse=True)
        place_of = {identity: place for place, identity in enumerate(ids)}
        found = np.array([place_of.get(value, -1) for value in known.tolist()], np.int64)
        return np.repeat(found[which], np.diff(starts, append=len(column)))

    def values(self, field: str) -> list[Any]:
        values: list[Any] = self.columns[field].tolist()
        return values

    def numbers(self, field: str) -> NDArray[np.float64]:
        return self.columns[field].astype(np.float64, copy=False)

    def number_lists(self, field: str, length: int) -> NDArray[np.float64]:
        column = self.columns[field]
        if column.shape != (len(self), length):
            first = f"{self.kind} id {self.columns['id'][0]}"
            raise InputError(f"{field} has {column.shape[1]} numbers, not {length}", record=first)
        return np.ascontiguousarray(column, np.float64)

    def keypoints(self, length: int) -> NDArray[np.float64]:
        if not self.columns["keypoints"].size:
            return np.zeros((len(self), length))
        return self.number_lists("keypoints", length)

    def masks(self) -> Masks:
        made = self.file_masks.encoded
        if len(self) == len(made) and (np.diff(self.of_file) == 1).all():
            return made
        view, offsets = made.counts.data, made.offsets
        bounds = zip(offsets[self.of_file].tolist(), offsets[self.of_file + 1].tolist())
        counts = np.frombuffer(b"".join([view[first:last] for first, last in bounds]), np.uint8)
        ends = np.cumsum(np.diff(offsets)[self.of_file], dtype=np.int64)
        return Masks(counts, np.concatenate([[0], ends]), made.sizes[self.of_file])

    def check_masks(self) -> None:
        masks = self.masks()
        try:
            rle_batch.validate(masks.counts, masks.offsets, masks.sizes.astype(np.int64))
        except rle_batch.MaskError as error:
            raise InputError(
                f"segmentation is malformed: {error}",
                record=f"{self.kind} id {self.columns['id'][error.row]}",
            ) from None

    def crowd(self) -> NDArray[np.bool_]:
        return np.asarray(self.columns["iscrowd"] != 0)

    def ignored(self) -> NDArray[np.bool_]:
        return np.asarray(self.columns["ignore"], np.bool_)
