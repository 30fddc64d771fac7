"""A match table as if less had been evaluated: matched once, accumulated in any part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy, to_numpy
from benchsuite.errors import ContractError
from benchsuite_plugins.metrics.coco_protocol import CocoProtocol, Value
from benchsuite_plugins.metrics.match_table import MatchHeader

_Named = TypeVar("_Named", int, float, str)


def select(
    matches: pa.Table,
    *,
    category_ids: Iterable[int] | None = None,
    areas: Iterable[str] | None = None,
    iou_thresholds: Iterable[float] | None = None,
    max_detections: Sequence[int] | None = None,
) -> pa.Table:
    """The part of a match table that accumulates to what evaluating just that would give.

    Args:
        matches: rows in any order.
        category_ids, areas, iou_thresholds: those to keep, of the table's; ``None``: all.
        max_detections: numbers of detections of an image and category that count, at most the
            table's largest; ``None``: the table's.

    Returns:
        A match table whose protocol has the values that can still be told. Those that counted the
        largest number of detections count the new largest; where that number is in the name, it
        changes (``AR100`` becomes ``AR50``). Of a truth, ``matched_<area>`` still says whether any
        detection of the old table matched it.

    Raises:
        ContractError: the table is no match table, or has not what is to be kept.
    """
    header = MatchHeader.of(matches)
    protocol = header.protocol
    thresholds = _kept("IoU threshold", protocol.iou_thresholds, iou_thresholds)
    chosen = replace(
        protocol,
        iou_thresholds=thresholds,
        areas=_kept("area range", protocol.areas, areas),
        max_detections=_numbers(protocol.max_detections, max_detections),
    )
    chosen = replace(
        chosen,
        area_ranges=tuple(protocol.area_ranges[protocol.areas.index(a)] for a in chosen.areas),
    )
    ids = _kept("category", header.category_ids, category_ids)
    chosen = replace(chosen, values=tuple(_values(protocol, chosen, ids)))
    changed = replace(header, protocol=chosen, category_ids=ids)

    rows = np.isin(to_numpy(matches["category_id"]), ids)
    rows &= to_numpy(matches["is_truth"]) | (to_numpy(matches["rank"]) < chosen.most_detections)
    if not rows.all():
        matches = matches.filter(from_numpy(rows))
    places = [protocol.iou_thresholds.index(threshold) for threshold in thresholds]
    repacked = places != list(range(len(protocol.iou_thresholds)))
    schema = changed.schema()
    columns = []
    for field in schema:
        column: Any = matches[field.name]
        if repacked and field.name.startswith(("matched_", "ignored_")):
            column = from_numpy(_repacked(to_numpy(column), places, changed.bits))
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


def _kept(
    kind: str, there: tuple[_Named, ...], wanted: Iterable[_Named] | None
) -> tuple[_Named, ...]:
    """Those that are wanted, in the order that they are there."""
    if wanted is None:
        return there
    wanted = set(wanted)
    missing = wanted.difference(there)
    if missing:
        raise ContractError(
            f"the match table has no {kind} {sorted(missing)[0]!r}; it was made with"
            f" {', '.join(map(repr, there))}"
        )
    return tuple(each for each in there if each in wanted)


def _numbers(there: tuple[int, ...], wanted: Sequence[int] | None) -> tuple[int, ...]:
    if wanted is None:
        return there
    numbers = tuple(sorted(set(wanted)))
    if not numbers or numbers[0] < 0 or numbers[-1] > there[-1]:
        raise ContractError(
            f"the match table holds the best {there[-1]} detections of an image and category;"
            f" {', '.join(map(str, wanted)) or 'none'} cannot be counted of it"
        )
    return numbers


def _values(old: CocoProtocol, new: CocoProtocol, ids: tuple[int, ...]) -> Iterator[Value]:
    """The old protocol's values, as far as the new one can tell them, each name once."""
    names = set()
    for value in old.values:
        number = value.max_detections
        if number not in new.max_detections and number == old.most_detections:
            name = value.name.removesuffix(str(number))
            if name != value.name:
                name += str(new.most_detections)
            value = replace(value, name=name, max_detections=new.most_detections)
        if value.categories is not None:
            value = replace(value, categories=tuple(i for i in value.categories if i in set(ids)))
        known = (
            value.area in new.areas
            and value.max_detections in new.max_detections
            and (value.iou is None or value.iou in new.iou_thresholds)
        )
        if known and value.name not in names:
            names.add(value.name)
            yield value


def _repacked(
    bits: NDArray[np.unsignedinteger[Any]], places: list[int], dtype: np.dtype[Any]
) -> NDArray[np.unsignedinteger[Any]]:
    """Bits of the new thresholds, taken from those at ``places``."""
    packed = np.zeros(len(bits), dtype)
    for new, old in enumerate(places):
        packed |= (bits >> bits.dtype.type(old) & bits.dtype.type(1)).astype(dtype) << dtype.type(
            new
        )
    return packed
