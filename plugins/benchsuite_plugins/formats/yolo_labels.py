"""YOLO's label lines: a class and a box or an outline, as parts of the image's size.

``0 0.5 0.4 0.2 0.1`` is class 0 with a box of centre x and y, width and height;
``0 x1 y1 x2 y2 x3 y3 ...`` (three points at least) an outline. A detection has its confidence at
the end of the line. Multiplied by the image's width and height these are pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchsuite.records import ImageRecord
from benchsuite_kernels.columns import rle
from benchsuite_plugins.formats.label_tables import Masks
from benchsuite_plugins.formats.text_file import line_error, lines_of, numbers, shortened

FARTHEST = 1.0
"""How far outside of the image, in its sizes, a centre or point may lie: labels in pixels, which
are not normalised, are told by it."""


@dataclass(slots=True)
class YoloObjects:
    """Objects, gathered file by file.

    Attributes:
        image_rows: which image each is in.
        classes: their class numbers.
        boxes: centre x, centre y, width and height, normalised.
        outlines: object to its points ``x1, y1, x2, ...``, normalised.
        scores: confidences; 0 in labels.
    """

    image_rows: list[int] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    boxes: list[Sequence[float]] = field(default_factory=list)
    outlines: dict[int, list[float]] = field(default_factory=dict)
    scores: list[float] = field(default_factory=list)

    def read(self, file: Path, image_row: int, classes: int, *, scored: bool) -> None:
        """Add the objects of one file.

        Args:
            classes: how many there are.
            scored: whether lines end with a confidence.

        Raises:
            InputError: a line is malformed; names it.
        """
        for line, text in lines_of(file):
            name, *rest = text.split()
            values = numbers(rest, file, line)
            score = values.pop() if scored and values else 0.0
            if len(values) != 4 and (len(values) < 6 or len(values) % 2):
                after = " and a confidence" if scored else ""
                raise line_error(
                    file,
                    line,
                    f"has {len(rest) + 1} fields, not a class and 4 numbers of a box, or 6, 8, 10, "
                    f"... of an outline{after}",
                )
            box = values if len(values) == 4 else _round_outline(values)
            _check_normalised(box, file, line)
            if len(values) != 4:
                self.outlines[len(self.boxes)] = values
            self.image_rows.append(image_row)
            self.classes.append(_class_number(name, classes, file, line))
            self.boxes.append(box)
            self.scores.append(score)

    def pixel_boxes(self, records: Sequence[ImageRecord]) -> NDArray[np.float64]:
        """(N, 4) x, y, width and height in pixels."""
        boxes = np.array(self.boxes, np.float64).reshape(-1, 4)
        return pixel_boxes(boxes, image_scales(records)[np.array(self.image_rows, np.int64)])

    def masks(self, records: Sequence[ImageRecord]) -> Masks | None:
        """Outlines filled, ``None`` where an object has none, or for all where no object has."""
        if not self.outlines:
            return None
        masks: list[bytes | None] = [None] * len(self.boxes)
        for place, points in self.outlines.items():
            record = records[self.image_rows[place]]
            size = record.height, record.width
            scaled = np.array(points).reshape(-1, 2) * (record.width, record.height)
            masks[place] = rle.from_polygons([scaled.ravel().tolist()], size)
        return masks


def pixel_boxes(
    normalised: NDArray[np.float64], scales: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(N, 4) x, y, width and height in pixels of centre x, centre y, width and height.

    Args:
        normalised: (N, 4).
        scales: (N, 2), width and height of each one's image.
    """
    corners = (normalised[:, :2] - normalised[:, 2:] / 2) * scales
    return np.column_stack([corners, normalised[:, 2:] * scales])


def normalised_boxes(
    pixels: NDArray[np.float64], scales: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What ``pixel_boxes`` makes these boxes of, but for rounding."""
    centres = (pixels[:, :2] + pixels[:, 2:] / 2) / scales
    return np.column_stack([centres, pixels[:, 2:] / scales])


def image_scales(records: Sequence[ImageRecord]) -> NDArray[np.float64]:
    """(I, 2) widths and heights."""
    scales = np.array([(record.width, record.height) for record in records], np.float64)
    return scales.reshape(-1, 2)


def _round_outline(points: Sequence[float]) -> list[float]:
    """The box round an outline."""
    left, right = min(points[::2]), max(points[::2])
    top, bottom = min(points[1::2]), max(points[1::2])
    return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]


def _check_normalised(box: Sequence[float], file: Path, line: int) -> None:
    x, y, width, height = box
    if width < 0 or height < 0:
        raise line_error(file, line, "the box has a negative width or height")
    if not (-FARTHEST <= x <= 1 + FARTHEST and -FARTHEST <= y <= 1 + FARTHEST):
        raise line_error(
            file,
            line,
            f"the centre {x}, {y} is far outside of the image",
            remedy="Coordinates are parts of the image's width and height, from 0 to 1",
        )


def _class_number(text: str, classes: int, file: Path, line: int) -> int:
    number = int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else -1
    if not 0 <= number < classes:
        raise line_error(
            file, line, f"the class is {shortened(text)}, not one of 0 to {classes - 1}"
        )
    return number
