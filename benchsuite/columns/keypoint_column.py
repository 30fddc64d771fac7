"""The ``keypoints`` field of COCO records as a column: ``x1, y1, v1, x2, ...``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.record_list import RecordList, number_list

_NUMBERS = pa.list_(pa.float64())


class KeypointColumn:
    """Keypoints, one list a record.

    A list that is malformed is an error only once the column is asked for: whoever scores boxes
    alone has no need of it.

    Args:
        records: the records whose ``keypoints`` fields are read.

    Attributes:
        present: (N,) bool, whether a record has keypoints.
        count: keypoints of a record, by the first that has any; 0: none has.
    """

    def __init__(self, records: RecordList) -> None:
        values = records.values("keypoints")
        self._names = records.names
        self._malformed: dict[int, str] = {}
        self.present = np.array([value is not None for value in values], np.bool_)
        try:
            self._lists: Any = pa.array(values, _NUMBERS)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            for row, value in enumerate(values):
                try:
                    values[row] = None if value is None else number_list(value)
                except ValueError as error:
                    values[row], self._malformed[row] = None, str(error)
            self._lists = pa.array(values, _NUMBERS)
        self._lengths = np.diff(self._lists.offsets.to_numpy())
        found = self._lengths[self._lengths > 0]
        self.count = max(int(found[0]) // 3, 1) if len(found) else int(self.present.any())

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
        numbers = self._lists.values.to_numpy(zero_copy_only=False)
        wrong = np.flatnonzero(~np.isfinite(numbers))
        if len(wrong):
            row = np.searchsorted(self._lists.offsets.to_numpy(), wrong[0], side="right") - 1
            raise self._names.error(
                row, f"the field 'keypoints' holds {numbers[wrong[0]]}, not a finite number"
            )
        lists: pa.Array[Any] = self._lists
        return lists

    def visible(self, stated: NDArray[np.int64]) -> pa.Array[Any]:
        """int32 number of labelled keypoints, null where a record has none.

        Args:
            stated: (N,) as the records state it; negative: counted, as those with a visibility
                above 0.
        """
        numbers = self._lists.values.to_numpy(zero_copy_only=False)
        counted = np.zeros(len(self.present), np.int64)
        labelled = numbers.reshape(-1, self.count, 3)[:, :, 2] > 0
        counted[self.present] = labelled.sum(axis=1)
        values = np.where(stated < 0, counted, stated).astype(np.int32)
        return pa.array(values, mask=~self.present)
