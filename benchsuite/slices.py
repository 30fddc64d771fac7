"""Values of parts of the images: by weather, by camera, by how crowded they are.

The matches of an image do not depend on other images, so every slice is the same match table
accumulated with the other images left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from benchsuite.errors import DataMissingError, InputError
from benchsuite.protocols import ResampledMetric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchsuite.protocols import Metric

MOST_SLICES = 100
"""Of one attribute; one with more is no way to group images."""


@dataclass(frozen=True, slots=True)
class ImageSlice:
    """The images that share a value of an attribute.

    Attributes:
        attribute: ``"weather"``.
        value: ``"rain"``.
        image_ids: those images.
    """

    attribute: str
    value: str
    image_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SliceScores:
    """The metric's values on one slice, by name; -1 where there is nothing to measure."""

    slice: ImageSlice
    metrics: Mapping[str, float]


def score_slices(
    metric: Metric, matches: pa.Table, slices: Sequence[ImageSlice]
) -> Iterator[SliceScores]:
    """The values of each slice.

    Args:
        metric: the metric that made ``matches``.
        matches: its match table.
    """
    if isinstance(metric, ResampledMetric) and slices:
        images, weights = _weights(slices)
        values = metric.resample(matches, images, weights)
        for row, each in enumerate(slices):
            yield SliceScores(each, {name: float(of[row]) for name, of in values.items()})
        return
    for each in slices:
        of_images = dict.fromkeys(each.image_ids, 1.0)
        yield SliceScores(each, metric.accumulate(matches, of_images).metrics)


def _weights(
    slices: Sequence[ImageSlice],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(I,) images that are in any slice, and (S, I) whether they are in each."""
    of_slices = [np.array(each.image_ids, np.int64) for each in slices]
    images = np.unique(np.concatenate(of_slices))
    weights = np.zeros((len(slices), len(images)))
    for row, of_slice in zip(weights, of_slices):
        row[np.searchsorted(images, of_slice)] = 1
    return images, weights


def stated_slices(images: pa.Table) -> list[ImageSlice]:
    """Slices by the ``attributes`` that the truth states of its images.

    A number with a fraction or a decimal point (CrowdPose's ``crowdIndex``) is a measure, by which
    images are not grouped.

    Args:
        images: ``schemas.TRUTH_IMAGES``.

    Raises:
        InputError: attributes are no JSON object, or one has more than ``MOST_SLICES`` values.
    """
    if "attributes" not in images.column_names:
        return []
    rows = []
    for image_id, text in zip(images["image_id"].to_pylist(), images["attributes"].to_pylist()):
        if text is not None:
            attributes = _attributes(text, image_id).items()
            groups = {name: value for name, value in attributes if not isinstance(value, float)}
            rows.append((image_id, groups))
    return _slices(rows, None)


def _attributes(text: str, image_id: int) -> Mapping[str, Any]:
    try:
        attributes = json.loads(text)
    except ValueError as error:
        raise InputError(f"attributes are no JSON: {error}", record=f"image {image_id}") from error
    if not isinstance(attributes, dict):
        raise InputError("attributes are no JSON object", record=f"image {image_id}")
    return attributes


def read_slices(path: Path, images: pa.Table) -> list[ImageSlice]:
    """Slices by the columns of a table: CSV with a header, or Parquet.

    Args:
        path: the table. A column ``image_id`` or ``file_name`` says which image a row is of; every
            other column is an attribute.
        images: ``schemas.TRUTH_IMAGES``; images without a row are in no slice.

    Raises:
        DataMissingError: there is no such file.
        InputError: it cannot be read, names no image, an unknown one or one twice, or an attribute
            has more than ``MOST_SLICES`` values.
    """
    if not path.is_file():
        raise DataMissingError(f"there is no table of attributes {path}")
    table = _read_table(path)
    key = next((name for name in ("image_id", "file_name") if name in table.column_names), None)
    if key is None:
        raise InputError("has neither a column image_id nor file_name", file=path)
    known = dict(zip(images[key].to_pylist(), images["image_id"].to_pylist()))
    rows: list[tuple[int, Mapping[str, Any]]] = []
    seen: set[int] = set()
    for number, row in enumerate(table.to_pylist(), 1):
        image_id = known.get(row.pop(key))
        name = table[key][number - 1].as_py()
        if image_id is None:
            raise InputError(
                f"{key} {name!r} is not among the images", file=path, record=f"row {number}"
            )
        if image_id in seen:
            raise InputError(
                f"{key} {name!r} is there for the second time", file=path, record=f"row {number}"
            )
        seen.add(image_id)
        rows.append((image_id, row))
    return _slices(rows, path)


def _read_table(path: Path) -> pa.Table:
    import pyarrow.csv
    import pyarrow.parquet

    try:
        if path.suffix == ".parquet":
            return pyarrow.parquet.read_table(path)
        return pyarrow.csv.read_csv(path)
    except pa.ArrowInvalid as error:
        raise InputError(f"is no table that can be read: {error}", file=path) from error


def _slices(rows: Sequence[tuple[int, Mapping[str, Any]]], file: Path | None) -> list[ImageSlice]:
    """Images by attribute and value, in order of first appearance of the attribute."""
    found: dict[str, dict[str, list[int]]] = {}
    for image_id, attributes in rows:
        for name, value in attributes.items():
            if value is not None:
                # As text: JSON's true and 1 are equal, and lists cannot be keys.
                found.setdefault(name, {}).setdefault(str(value), []).append(image_id)
    for name, values in found.items():
        if len(values) > MOST_SLICES:
            raise InputError(
                f"the attribute {name!r} has {len(values)} values, more than {MOST_SLICES}",
                file=file,
                remedy="Group its values, or leave the column out",
            )
    return [
        ImageSlice(name, value, tuple(image_ids))
        for name, values in found.items()
        for value, image_ids in sorted(values.items())
    ]
