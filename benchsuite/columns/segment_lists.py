"""The segment lists of COCO panoptic files as one column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy
from benchsuite.columns.json_file import json_type
from benchsuite.columns.plain_values import shown
from benchsuite.columns.record_checks import RecordNames
from benchsuite.columns.record_list import RecordList
from benchsuite.schemas import SEGMENT


@dataclass(frozen=True, slots=True)
class _SegmentNames(RecordNames):
    """Names segments by their place in the list of their annotation."""

    starts: NDArray[np.int64]

    def __getitem__(self, index: int) -> str:
        annotation = int(np.searchsorted(self.starts, index, side="right")) - 1
        place = index - int(self.starts[annotation])
        identity = self.ids[index]
        suffix = "" if identity is None else f" (id {identity!r})"
        return f"{self.name}[{annotation}].segments_info[{place}]{suffix}"


class SegmentLists:
    """The ``segments_info`` of N annotations, S segments in all.

    Args:
        annotations: a panoptic file's.

    Attributes:
        records: the segments, named ``annotations[3].segments_info[0]`` in messages.
        ids, category_ids: (S,) int64.

    Raises:
        InputError: an annotation has no such list, or a segment no id or category.
    """

    def __init__(self, annotations: RecordList) -> None:
        lists: list[Any] = [record.get("segments_info") for record in annotations.records]
        if not set(map(type, lists)) <= {list}:
            row = next(row for row, each in enumerate(lists) if not isinstance(each, list))
            found = "missing" if lists[row] is None else f"a JSON {json_type(lists[row])}, no array"
            raise annotations.names.error(row, f"the field 'segments_info' is {found}")
        for row, each in enumerate(lists):
            if not set(map(type, each)) <= {dict}:
                place = next(i for i, segment in enumerate(each) if not isinstance(segment, dict))
                raise annotations.names.error(
                    row, f"segments_info[{place}] is {shown(each[place])}, not an object"
                )
        self._starts = np.cumsum([0, *map(len, lists)], dtype=np.int64)
        flat: Sequence[Mapping[str, Any]] = list(chain.from_iterable(lists))
        self.records = RecordList(flat, name="segments_info", file=annotations.names.file)
        self.records.names = _SegmentNames(
            annotations.names.name,
            self.records.names.ids,
            annotations.names.file,
            self._starts[:-1],
        )
        self.ids = self.records.integers("id")
        self.category_ids = self.records.integers("category_id")
        self._check_unique()

    def column(
        self,
        rows: Sequence[int | None],
        category_ids: NDArray[np.int64] | None = None,
        things: NDArray[np.bool_] | None = None,
        iscrowd: NDArray[np.bool_] | None = None,
        areas: NDArray[np.int64] | None = None,
    ) -> pa.Array[Any]:
        """Lists of ``schemas.SEGMENT``.

        Args:
            rows: for each list wanted the place of its annotation; ``None`` makes a null.
            category_ids: in place of the file's.
            things, iscrowd, areas: (S,), where they are known; null where not.
        """
        known: dict[str, NDArray[Any] | None] = {
            "id": self.ids,
            "category_id": self.category_ids if category_ids is None else category_ids,
            "isthing": things,
            "iscrowd": iscrowd,
            "area": areas,
        }
        children = [
            pa.nulls(len(self.ids), field.type) if values is None else from_numpy(values)
            for field, values in ((field, known.get(field.name)) for field in SEGMENT)
        ]
        segments = pa.StructArray.from_arrays(children, fields=list(SEGMENT))
        lists = pa.ListArray.from_arrays(from_numpy(self._starts.astype(np.int32)), segments)
        present = np.array([row is not None for row in rows], np.bool_)
        places = np.array([0 if row is None else row for row in rows], np.int64)
        taken: pa.Array[Any] = lists.take(from_numpy(places, present))
        return taken

    def _check_unique(self) -> None:
        annotations = np.repeat(np.arange(len(self._starts) - 1), np.diff(self._starts))
        order = np.lexsort((self.ids, annotations))
        same = np.diff(self.ids[order]) == 0
        repeated = np.flatnonzero(same & (np.diff(annotations[order]) == 0))
        if len(repeated):
            raise self.records.names.error(
                order[repeated[0] + 1], "has the same id as another segment of its list"
            )
