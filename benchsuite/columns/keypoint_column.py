"""The ``keypoints`` field of COCO records as a column: ``x1, y1, v1, x2, ...``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy, lists_from_numpy
from benchsuite.columns.plain_values import number_list
from benchsuite.columns.record_checks import RecordNames


class KeypointColumn:
    """Keypoints, one list a record.

    A list that is malformed is an error only once the column is asked for: whoever scores boxes
    alone has no need of it.

    Args:
        numbers: (V,) float64, the lists one after the other.
        lengths: (N,), numbers of each list.
        names: how messages name the records.
        malformed: what is wrong with a record's list, of those that are no lists of numbers.

    Attributes:
        present: (N,) bool, whether a record has keypoints.
        count: keypoints of a record, by the first that has any; 0: none has.
    """

    def __init__(
        self,
        numbers: NDArray[np.float64],
        lengths: NDArray[np.integer[Any]],
        names: RecordNames,
        malformed: Mapping[int, str] | None = None,
    ) -> None:
        self._numbers, self._lengths, self._names = numbers, lengths, names
        self._malformed = malformed or {}
        self.present = lengths > 0
        self.present[list(self._malformed)] = True
        found = lengths[lengths > 0]
        self.count = max(int(found[0]) // 3, 1) if len(found) else int(self.present.any())

    @classmethod
    def of_values(cls, values: Sequence[Any], names: RecordNames) -> KeypointColumn:
        """Lists of numbers, ``None`` where a record has none."""
        lists: Sequence[Any] = [() if value is None else value for value in values]
        if set(map(type, lists)) <= {list, tuple}:
            flat = list(chain.from_iterable(lists))
            if set(map(type, flat)) <= {int, float}:
                try:
                    return cls(np.array(flat, np.float64), _lengths(lists), names)
                except OverflowError:
                    pass
        malformed: dict[int, str] = {}
        converted: list[list[float]] = []
        for row, value in enumerate(lists):
            try:
                converted.append(number_list(value))
            except ValueError as error:
                malformed[row] = str(error)
                converted.append([])
        numbers = np.array(list(chain.from_iterable(converted)), np.float64)
        return cls(numbers, _lengths(converted), names, malformed)

    def checked(self, count: int | None = None) -> pa.Array[Any]:
        """The lists, null where a record has none.

        Args:
            count: keypoints that each must have; ``None``: as many as the first has.

        Raises:
            InputError: a list has another number of keypoints, or holds something but numbers.
        """
        for row, problem in self._malformed.items():
            raise self._names.error(row, f"the field 'keypoints' {problem}")
        count = self.count if count is None else count
        unlike = np.flatnonzero(self.present & (self._lengths != 3 * count))
        if len(unlike):
            raise self._names.error(
                unlike[0],
                f"the field 'keypoints' has {self._lengths[unlike[0]]} numbers, not {3 * count}"
                f" (x, y and a third of {count} keypoints)",
            )
        offsets = np.concatenate([[0], np.cumsum(self._lengths, dtype=np.int64)])
        wrong = np.flatnonzero(~np.isfinite(self._numbers))
        if len(wrong):
            row = np.searchsorted(offsets, wrong[0], side="right") - 1
            raise self._names.error(
                row, f"the field 'keypoints' holds {self._numbers[wrong[0]]}, not a finite number"
            )
        return lists_from_numpy(self._numbers, offsets, self.present)

    def visible(self, stated: NDArray[np.int64]) -> pa.Array[Any]:
        """int32 number of labelled keypoints, null where a record has none.

        The lists must have been ``checked``.

        Args:
            stated: (N,) as the records state it; negative: counted, as those with a visibility
                above 0.
        """
        counted = np.zeros(len(self.present), np.int64)
        labelled = self._numbers.reshape(-1, self.count, 3)[:, :, 2] > 0
        counted[self.present] = labelled.sum(axis=1)
        values = np.where(stated < 0, counted, stated).astype(np.int32)
        return from_numpy(values, self.present)


def _lengths(lists: Sequence[Any]) -> NDArray[np.int64]:
    return np.fromiter(map(len, lists), np.int64, len(lists))
