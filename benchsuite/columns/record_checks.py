"""What lists of records share, whatever they are read from: their names, and checks of ids."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchsuite.columns.ids import places
from benchsuite.errors import InputError

if TYPE_CHECKING:
    from benchsuite.columns.keypoint_column import KeypointColumn
    from benchsuite.columns.segmentation_column import SegmentationColumn


class Ids(Protocol):
    """What messages show as the records' ids, ``None`` where there is none."""

    def __getitem__(self, index: int, /) -> Any: ...


class _NoIds:
    def __getitem__(self, index: int, /) -> None:
        return None


NO_IDS: Ids = _NoIds()
"""Of records that have places alone."""


@dataclass(frozen=True, slots=True)
class RecordNames:
    """How messages name the records of a list: ``annotations[3] (id 17)``.

    Attributes:
        name: of the list.
        ids: the records' ``id`` fields, ``None`` where there is none.
        file: the file they are from.
    """

    name: str
    ids: Ids
    file: object | None

    def __getitem__(self, index: int) -> str:
        identity = self.ids[index]
        suffix = "" if identity is None else f" (id {identity!r})"
        return f"{self.name}[{index}]{suffix}"

    def error(
        self, index: int | np.integer[Any], problem: str, remedy: str | None = None
    ) -> InputError:
        """The error that a record has this problem."""
        return InputError(problem, file=self.file, record=self[int(index)], remedy=remedy)

    def missing(self, present: NDArray[np.bool_], field: str, why: str = "") -> InputError:
        """The error for the first record that lacks a field."""
        return self.error(present.argmin(), f"the field {field!r} is missing{why}")


class CheckedRecords(ABC):
    """Records whose fields can be had as arrays.

    A field that is null counts as missing, and so does an empty list. Errors name the record.

    Attributes:
        names: how messages name them.
    """

    names: RecordNames

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def has(self, field: str) -> NDArray[np.bool_]:
        """(N,) whether a record has the field."""

    @abstractmethod
    def integers(self, field: str, default: int | None = None) -> NDArray[np.int64]:
        """(N,) int64; a missing field gets the default, or is an error where there is none."""

    @abstractmethod
    def flags(self, field: str, default: bool) -> NDArray[np.bool_]:
        """(N,) bool of booleans or integers; a missing field gets the default."""

    @abstractmethod
    def numbers(
        self, field: str, *, finite: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Numbers: (N,) float64 (zero where the field is missing) and (N,) whether it is there.

        Args:
            finite: whether NaN and the infinities are errors.
        """

    @abstractmethod
    def boxes(
        self, field: str = "bbox", *, negative: bool = False
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Boxes ``(x, y, width, height)``: (N, 4) float64, finite.

        Args:
            negative: whether widths and heights may be negative.

        Returns:
            The boxes (zeros where the field is missing) and (N,) whether it is there.
        """

    def rotated_boxes(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Boxes with a fifth number, the angle, as ``schemas.ROTATED_BOX``: (N, 5) float64, finite.

        Detectron2 has them in the field ``bbox``; ``boxes`` counts that field as missing there.

        Returns:
            The boxes (zeros where there is none) and (N,) whether there is one.
        """
        return np.zeros((len(self), 5)), np.zeros(len(self), np.bool_)

    @abstractmethod
    def segmentations(self) -> SegmentationColumn:
        """The field ``segmentation``."""

    @abstractmethod
    def keypoints(self) -> KeypointColumn:
        """The field ``keypoints``."""

    def required_numbers(self, field: str, *, finite: bool = True) -> NDArray[np.float64]:
        """(N,) float64; a missing field is an error."""
        numbers, present = self.numbers(field, finite=finite)
        if not present.all():
            raise self.names.missing(present, field)
        return numbers

    def referred(
        self, field: str, ids: NDArray[np.int64], known: ArrayLike, where: str
    ) -> NDArray[np.int64]:
        """(N,) the place among ``known`` of each record's id; ``where`` is what those are called.

        Raises:
            InputError: an id is not among them.
        """
        at, found = places(ids, known)
        if not found.all():
            first = found.argmin()
            raise self.names.error(first, f"{field} {ids[first]} is not among the {where}")
        return at

    def unique_ids(self) -> NDArray[np.int64]:
        """(N,) int64, the field ``id``. Raises ``InputError`` where two records share one."""
        ids = self.integers("id")
        order = np.argsort(ids, kind="stable")
        repeated = np.flatnonzero(np.diff(ids[order]) == 0)
        if len(repeated):
            first, second = order[repeated[0]], order[repeated[0] + 1]
            raise self.names.error(second, f"has the same id as {self.names.name}[{first}]")
        return ids
