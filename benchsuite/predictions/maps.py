"""A model's semantic and panoptic maps, from labels to category ids and PNG."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.errors import ContractError
from benchsuite.predictions.label_maps import (
    LARGEST_SEGMENT,
    LARGEST_SEMANTIC_ID,
    encode_panoptic,
    encode_semantic,
    void_number,
)
from benchsuite.records import ImageRecord, PanopticMap


@dataclass(frozen=True, slots=True, eq=False)
class ConvertedMap:
    """A map as it is stored.

    Attributes:
        png: as ``benchsuite.predictions.label_maps`` tells.
        segments: rows of ``schemas.SEGMENT``, for a panoptic map.
        dropped: how many segments (of a semantic map: labels) had no category id.
    """

    png: bytes
    segments: list[dict[str, Any]] | None
    dropped: int


def convert_semantic(
    labels: Any, record: ImageRecord, category_ids: Sequence[int | None], where: str
) -> ConvertedMap:
    """An (H, W) integer map of labels, 255 (uint8) or -1 being none, to one of category ids.

    Raises:
        ContractError: the map has another size or dtype, or a label out of range, or one whose
            category id a semantic map cannot hold (0 to 65535).
    """
    array = _map_of(labels, "semantic map", record, where)
    none, count = 255 if array.dtype == np.uint8 else -1, len(category_ids)
    strange = array[(array != none) & ((array < 0) | (array >= count))]
    if strange.size:
        raise ContractError(
            f"{where}: the semantic map holds label {strange[0]}, which is not one of the model's "
            f"{count} categories (0 to {count - 1}; {none} for none)"
        )
    # "None" is looked up one behind the last label.
    at = np.where(array == none, count, array).astype(np.intp)
    known = {category_id for category_id in category_ids if category_id is not None}
    void = void_number(known)
    # The depth is the run's, not the image's, so that all of its maps are alike.
    wide = max(known | {void}) > 255  # an id that does not fit either is refused where it is met
    depth: type[np.unsignedinteger[Any]] = np.uint16 if wide else np.uint8
    ids, dropped = np.full(count + 1, void, depth), 0
    for label in np.flatnonzero(np.bincount(at.ravel(), minlength=count)[:count]).tolist():
        category_id = category_ids[label]
        if category_id is None:
            dropped += 1
        elif 0 <= category_id <= LARGEST_SEMANTIC_ID:
            ids[label] = category_id
        else:
            raise ContractError(
                f"{where}: the semantic map holds category id {category_id}, but ids of a semantic "
                f"map are 0 to {LARGEST_SEMANTIC_ID}"
            )
    return ConvertedMap(encode_semantic(ids[at]), None, dropped)


def convert_panoptic(
    panoptic: PanopticMap, record: ImageRecord, category_ids: Sequence[int | None], where: str
) -> ConvertedMap:
    """A panoptic map and its segments, with labels as category ids.

    Pixels of a dropped segment become void. A segment that covers no pixel is dropped as well:
    the format has none.

    Raises:
        ContractError: the map has another size or dtype, its segments and its list do not belong
            together, or a label is out of range.
    """
    numbers = _map_of(panoptic.ids, "panoptic map", record, where)
    present, counts = np.unique(numbers, return_counts=True)
    if len(present) and not 0 <= int(present[0]) <= int(present[-1]) <= LARGEST_SEGMENT:
        raise ContractError(
            f"{where}: segment numbers of a panoptic map are 0 to {LARGEST_SEGMENT}, this one has "
            f"{present[0]} to {present[-1]}"
        )
    areas = {int(number): int(count) for number, count in zip(present, counts)}
    areas.pop(0, None)
    listed = Counter(segment.id for segment in panoptic.segments)
    if twice := [number for number, count in listed.items() if count > 1]:
        raise ContractError(f"{where}: segment {twice[0]} is in the list more than once")
    if unlisted := sorted(areas.keys() - listed.keys()):
        raise ContractError(
            f"{where}: segment {unlisted[0]} is in the panoptic map, but not in its list"
        )
    kept = []
    for segment in panoptic.segments:
        if not 0 <= segment.label < len(category_ids):
            raise ContractError(
                f"{where}: label {segment.label} of segment {segment.id} is not one of the model's "
                f"{len(category_ids)} categories (0 to {len(category_ids) - 1})"
            )
        if segment.score is not None and math.isnan(segment.score):
            raise ContractError(f"{where}: the score of segment {segment.id} is NaN")
        category_id = category_ids[segment.label]
        if category_id is not None and segment.id in areas:
            kept.append(
                {
                    "id": segment.id,
                    "category_id": category_id,
                    "isthing": segment.isthing,
                    "iscrowd": False,
                    "area": areas.pop(segment.id),
                    "score": segment.score,
                }
            )
    if areas:
        numbers = np.where(np.isin(numbers, list(areas)), 0, numbers)
    png = encode_panoptic(numbers.astype(np.int32))
    return ConvertedMap(png, kept, len(panoptic.segments) - len(kept))


def _map_of(values: Any, what: str, record: ImageRecord, where: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise ContractError(f"{where}: the {what} is {array.dtype}, expected integers")
    if array.shape != (record.height, record.width):
        raise ContractError(
            f"{where}: the {what} is of (height, width) {array.shape}, the image of "
            f"{(record.height, record.width)}"
        )
    return array
