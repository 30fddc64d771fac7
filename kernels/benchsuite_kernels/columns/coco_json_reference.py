"""COCO's JSON files as columns by Python's ``json``: what the C++ scanner is held against.

It takes a few files more than the scanner does (of names that come twice in an object it keeps the
last, for one), and writes ``extra`` as ``json.dumps`` does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESULT_FIELDS = ("image_id", "category_id", "score", "bbox", "segmentation", "keypoints")

_INT64 = np.iinfo(np.int64)
_COUNTS, _RUNS, _POLYGONS = 1, 2, 3


class _Doubt(Exception):
    """The file is not one that is taken."""


def scan_results(buffer: NDArray[np.uint8], size: int, threads: int) -> dict[str, Any] | None:
    """See ``coco_json.scan_results``; columns by name."""
    text = buffer[:size].tobytes()
    try:
        records = _checked(_loaded(text), list)
        return {
            **_scored(records, text),
            "score": _field(records, "score", _number, np.float64),
            **_joined([_extra(record) for record in records], np.uint8, "extra", "extra_numbers"),
        }
    except _Doubt:
        return None


def scan_annotations(buffer: NDArray[np.uint8], size: int, threads: int) -> dict[str, Any] | None:
    """See ``coco_json.scan_annotations``; columns by name."""
    text = buffer[:size].tobytes()
    try:
        content = _checked(_loaded(text), dict)
        records = _checked(content.get("annotations"), list)
        rest = {
            name: json.dumps(content[name]).encode() if name in content else b""
            for name in ("images", "categories")
        }
        return {
            **_scored(records, text),
            "id": _field(records, "id", _integer, np.int64),
            "num_keypoints": _field(records, "num_keypoints", _integer, np.int64),
            "area": _field(records, "area", _finite, np.float64),
            "iscrowd": _field(records, "iscrowd", _flag, np.int64),
            "ignore": _field(records, "ignore", _flag, np.int64),
            **rest,
        }
    except _Doubt:
        return None


def gather(buffer: NDArray[np.uint8], spans: NDArray[np.int64]) -> NDArray[np.int64]:
    """See ``coco_json.gather_counts``; where each string ends."""
    texts = [
        buffer[start : start + length].tobytes().replace(b"\\\\", b"\\")
        for start, length in spans.tolist()
    ]
    joined = b"".join(texts)
    buffer[: len(joined)] = np.frombuffer(joined, np.uint8)
    return np.cumsum([len(text) for text in texts], dtype=np.int64)


def _loaded(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _Doubt from None


def _scored(records: Sequence[Any], text: bytes) -> dict[str, Any]:
    """What both kinds of records hold."""
    for record in records:
        _checked(record, dict)
    keypoints = [_list(record.get("keypoints"), _finite) for record in records]
    return {
        "count": len(records),
        "image_id": _field(records, "image_id", _integer, np.int64),
        "category_id": _field(records, "category_id", _integer, np.int64),
        "bbox": _field(records, "bbox", _box, np.float64, 4),
        **_joined(keypoints, np.float64, "keypoints", "keypoint_numbers"),
        **_segmentations([record.get("segmentation") for record in records], text),
    }


def _segmentations(values: Sequence[Any], text: bytes) -> dict[str, Any]:
    shape = np.zeros(len(values), np.uint8)
    size, counts = np.zeros((2, len(values), 2), np.int64)
    runs: list[list[int]] = [[] for _ in values]
    polygons: list[list[list[float]]] = [[] for _ in values]
    free = 0
    for row, value in enumerate(values):
        if isinstance(value, dict):
            size[row] = _two(value.get("size"))
            if isinstance(value.get("counts"), list):
                shape[row] = _RUNS
                runs[row] = _list(value["counts"], _integer)
                continue
            shape[row] = _COUNTS
            counts[row] = _place(_checked(value.get("counts"), str), text, free)
            free = counts[row].sum()
        elif polygon_list := _list(value, lambda polygon: _list(_checked(polygon, list), _finite)):
            shape[row] = _POLYGONS
            polygons[row] = polygon_list
    numbers = [[len(polygon) for polygon in of_record] for of_record in polygons]
    points = [number for of_record in polygons for polygon in of_record for number in polygon]
    return {
        "shape": shape,
        "size": size,
        "counts": counts,
        **_joined(runs, np.int64, "runs", "run_numbers"),
        **_joined(numbers, np.int32, "point_numbers", "polygon_numbers"),
        "points": np.array(points, np.float64),
    }


def _place(counts: str, text: bytes, free: int) -> tuple[int, int]:
    """Where the file has the string, from ``free`` on; the first such text will do."""
    try:
        escaped = counts.replace("\\", "\\\\").encode("ascii")
    except UnicodeEncodeError:
        raise _Doubt from None
    at = text.find(b'"%b"' % escaped, free)
    if at < 0:
        raise _Doubt
    return at + 1, len(escaped)


def _extra(record: Mapping[str, Any]) -> bytes:
    extra = {name: value for name, value in record.items() if name not in RESULT_FIELDS}
    return json.dumps(extra).encode() if extra else b""


def _field(
    records: Sequence[Mapping[str, Any]],
    name: str,
    convert: Callable[[Any], Any],
    dtype: type[np.generic],
    *width: int,
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    values = np.zeros((len(records), *width), dtype)
    present = np.zeros(len(records), np.uint8)
    for row, record in enumerate(records):
        value = record.get(name)
        if value is None or (name == "bbox" and value == []):
            continue
        values[row], present[row] = convert(value), 1
    return values, present


def _joined(
    lists: Sequence[Sequence[Any]], dtype: type[np.generic], items: str, lengths: str
) -> dict[str, NDArray[Any]]:
    return {
        items: np.array([item for of_record in lists for item in of_record], dtype),
        lengths: np.array([len(of_record) for of_record in lists], np.int32),
    }


def _checked(value: Any, wanted: type) -> Any:
    if not isinstance(value, wanted):
        raise _Doubt
    return value


def _list(value: Any, convert: Callable[[Any], Any]) -> list[Any]:
    return [] if value is None else [convert(item) for item in _checked(value, list)]


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _Doubt
    try:
        return float(value)
    except OverflowError:
        raise _Doubt from None


def _finite(value: Any) -> float:
    converted = _number(value)
    if not math.isfinite(converted):
        raise _Doubt
    return converted


def _integer(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Doubt
    if not _INT64.min <= value <= _INT64.max:
        raise _Doubt
    return value


def _flag(value: Any) -> int:
    return int(value) if isinstance(value, bool) else _integer(value)


def _box(value: Any) -> list[float]:
    return _several(value, 4, _finite)


def _two(value: Any) -> list[int]:
    return _several(value, 2, _integer)


def _several(value: Any, count: int, convert: Callable[[Any], Any]) -> list[Any]:
    found = _list(_checked(value, list), convert)
    if len(found) != count:
        raise _Doubt
    return found
