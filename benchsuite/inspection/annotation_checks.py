"""What can be wrong with a table of truth, named by id: each check takes the truth of its task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchsuite.predictions.label_maps import decode_panoptic

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


def panoptic(truth: Truth) -> Iterator[Finding]:
    """Maps that are missing, of a wrong size, or at odds with their segment list."""
    columns = ("image_id", "width", "height", "panoptic_png", "segments")
    for batch in truth.images.select(columns).to_batches(max_chunksize=64):
        for row in batch.to_pylist():
            record = f"image id {row['image_id']}"
            if row["panoptic_png"] is None:
                yield Finding(record, "has no panoptic map")
                continue
            segments = decode_panoptic(row["panoptic_png"])
            if segments.shape != (row["height"], row["width"]):
                yield Finding(record, f"its panoptic map is of size {list(segments.shape)}")
            drawn = set(np.unique(segments).tolist()) - {0}
            listed = {segment["id"] for segment in row["segments"] or ()}
            if undrawn := sorted(listed - drawn):
                yield Finding(record, f"its panoptic map shows no pixel of segments {undrawn}")
            if unlisted := sorted(drawn - listed):
                yield Finding(record, f"its panoptic map shows segments not listed: {unlisted}")


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
