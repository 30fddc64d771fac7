"""What can be wrong with a table of truth, named by id: each check takes the truth of its task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchsuite_kernels.columns.label_maps import Form, MapError, decode

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from benchsuite.protocols import Truth

MARGIN = 1.0
"""Pixels that an annotation may reach beyond its image: annotation tools round."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        record: which image or annotation, by its id.
        problem: what is wrong with it, in a clause.
    """

    record: str
    problem: str


def boxes(truth: Truth) -> Iterator[Finding]:
    """Boxes without area, or beyond their image."""
    ids, boxes, (widths, heights) = _ids(truth), _box_array(truth), _sizes(truth)
    x, y, w, h = boxes.T
    with np.errstate(invalid="ignore"):
        findings = {
            "its box is no box of numbers": ~np.isfinite(boxes).all(axis=1),
            "its box has no area": (w <= 0) | (h <= 0),
            "its box reaches outside of the image": (x < -MARGIN)
            | (y < -MARGIN)
            | (x + w > widths + MARGIN)
            | (y + h > heights + MARGIN),
        }
    for problem, at in findings.items():
        for row in np.flatnonzero(at):
            box = [round(float(value), 2) for value in boxes[row]]
            yield Finding(f"annotation id {ids[row]}", f"{problem}: {box}")


def masks(truth: Truth) -> Iterator[Finding]:
    """Masks of another size than their image, or without a pixel in it."""
    from pycocotools import mask

    ids, (widths, heights) = _ids(truth), _sizes(truth)
    for row, rle in enumerate(truth.instances["segmentation"].to_pylist()):
        if rle is None:
            continue
        size = [int(heights[row]), int(widths[row])]
        if list(rle["size"]) != size:
            problem = f"its mask is of size {list(rle['size'])}, its image of {size}"
        elif int(mask.area(rle)) == 0:
            problem = "its mask covers no pixel of the image"
        else:
            continue
        yield Finding(f"annotation id {ids[row]}", problem)


def keypoints(truth: Truth) -> Iterator[Finding]:
    """Labelled keypoints beyond their image, and counts that are wrong."""
    ids, (widths, heights) = _ids(truth), _sizes(truth)
    stated = truth.instances["num_keypoints"].to_pylist()
    for row, flat in enumerate(truth.instances["keypoints"].to_pylist()):
        if flat is None:
            continue
        x, y, visibility = np.array(flat, np.float64).reshape(-1, 3).T
        labelled = visibility > 0
        outside = (x < -MARGIN) | (y < -MARGIN)
        outside |= (x > widths[row] + MARGIN) | (y > heights[row] + MARGIN)
        for number in np.flatnonzero(labelled & outside):
            yield Finding(
                f"annotation id {ids[row]}", f"its keypoint {number} lies outside of the image"
            )
        if stated[row] != labelled.sum():
            yield Finding(
                f"annotation id {ids[row]}",
                f"says {stated[row]} keypoints are labelled, {labelled.sum()} are",
            )


def semantic(truth: Truth) -> Iterator[Finding]:
    """Maps that are missing, cannot be read, or are of a wrong size."""
    if _has_maps(truth, "panoptic") and not _has_maps(truth, "semantic"):
        yield from panoptic(truth)  # categories are those of its segments
        return
    for row in _map_rows(truth, "semantic"):
        _, problems = _read_map(row, "semantic", "grey")
        yield from problems


def panoptic(truth: Truth) -> Iterator[Finding]:
    """Maps that are missing, of a wrong size, or at odds with their segment list."""
    for row in _map_rows(truth, "panoptic", "segments"):
        numbers, problems = _read_map(row, "panoptic", "colour")
        yield from problems
        if numbers is None:
            continue
        record = f"image id {row['image_id']}"
        drawn = set(np.unique(numbers).tolist()) - {0}
        listed = {segment["id"] for segment in row["segments"] or ()}
        if undrawn := sorted(listed - drawn):
            yield Finding(record, f"its panoptic map shows no pixel of segments {undrawn}")
        if unlisted := sorted(drawn - listed):
            yield Finding(record, f"its panoptic map shows segments not listed: {unlisted}")


def _has_maps(truth: Truth, kind: str) -> bool:
    columns = (truth.images[f"{kind}_{place}"] for place in ("png", "path"))
    return any(column.null_count < len(column) for column in columns)


def _map_rows(truth: Truth, kind: str, *columns: str) -> Iterator[dict[str, Any]]:
    names = ["image_id", "width", "height", f"{kind}_png", f"{kind}_path", *columns]
    for batch in truth.images.select(names).to_batches(max_chunksize=64):
        yield from batch.to_pylist()


def _read_map(
    row: dict[str, Any], kind: str, form: Form
) -> tuple[NDArray[Any] | None, list[Finding]]:
    """A map, ``None`` where there is none to be read, and what is wrong with it."""
    record = f"image id {row['image_id']}"
    png, path = row[f"{kind}_png"], row[f"{kind}_path"]
    source = path if png is None else png
    if source is None:
        return None, [Finding(record, f"has no {kind} map")]
    try:
        numbers = decode(source, form)
    except MapError as error:
        return None, [Finding(record, f"its {kind} map {error.problem}")]
    if numbers.shape != (row["height"], row["width"]):
        return numbers, [Finding(record, f"its {kind} map is of size {list(numbers.shape)}")]
    return numbers, []


def _ids(truth: Truth) -> list[int]:
    ids: list[int] = truth.instances["annotation_id"].to_pylist()
    return ids


def _box_array(truth: Truth) -> NDArray[np.float64]:
    """(N, 4) x, y, width, height; NaN where an annotation has no box."""
    column: pa.ChunkedArray = truth.instances["bbox"]
    missing = [np.nan] * 4
    rows = [missing if box is None else box for box in column.to_pylist()]
    return np.array(rows, np.float64).reshape(-1, 4)


def _sizes(truth: Truth) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Width and height of each annotation's image."""
    images = truth.images
    order = np.argsort(images["image_id"].to_numpy())
    ids = images["image_id"].to_numpy()[order]
    rows = order[np.searchsorted(ids, truth.instances["image_id"].to_numpy())]
    return images["width"].to_numpy()[rows], images["height"].to_numpy()[rows]
