"""The keypoint layout that the categories of a COCO-format file describe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchsuite.columns.person_keypoints import PERSON_KEYPOINTS
from benchsuite.columns.plain_values import integer, shown
from benchsuite.columns.record_list import RecordList
from benchsuite.errors import InputError
from benchsuite.specs import KeypointLayout


def keypoint_layout(
    categories: Sequence[Mapping[str, Any]],
    count: int,
    sigmas: Sequence[float],
    *,
    file: object,
) -> KeypointLayout | None:
    """The layout of a file whose annotations carry ``count`` keypoints each.

    Names and skeleton (indices from 1 in the file) are those of the first category that lists
    keypoints; mirror pairs follow from names that begin with ``left`` and ``right``. Sigmas are
    the given ones, else COCO's where there are seventeen keypoints.

    Returns:
        The layout, or ``None`` where the sigmas are not known.

    Raises:
        InputError: the categories list another number of keypoints than the annotations carry, or
            there is another number of sigmas.
    """
    records = RecordList(categories, name="categories", file=file)
    names: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()
    for row, listed in enumerate(records.values("keypoints")):
        if listed is None:
            continue
        if not isinstance(listed, list):
            raise records.names.error(row, f"the field 'keypoints' is {shown(listed)}, not a list")
        if len(listed) != count:
            raise records.names.error(
                row, f"lists {len(listed)} keypoints, but the annotations carry {count}"
            )
        if not names:
            names = tuple(map(str, listed))
            lines = records.records[row].get("skeleton") or ()
            try:
                skeleton = tuple((integer(a) - 1, integer(b) - 1) for a, b in lines)
            except (TypeError, ValueError) as error:
                raise records.names.error(
                    row, "the field 'skeleton' is no list of pairs of keypoint numbers"
                ) from error
    if sigmas and len(sigmas) != count:
        raise InputError(
            f"its annotations carry {count} keypoints, but {len(sigmas)} sigmas are given",
            file=file,
        )
    if not sigmas:
        if count != len(PERSON_KEYPOINTS.names):
            return None
        sigmas = PERSON_KEYPOINTS.sigmas
    if not names and count == len(PERSON_KEYPOINTS.names):
        names, skeleton = PERSON_KEYPOINTS.names, PERSON_KEYPOINTS.skeleton
    names = names or tuple(f"keypoint_{index}" for index in range(count))
    return KeypointLayout(names, tuple(sigmas), _mirror_pairs(names), skeleton)


def _mirror_pairs(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    place = {name: index for index, name in enumerate(names)}
    return tuple(
        (index, place["right" + name[4:]])
        for index, name in enumerate(names)
        if name.startswith("left") and "right" + name[4:] in place
    )
