"""Annotations that a model cannot learn from, found before the first step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchsuite.errors import InputError

LEAST_SIDE = 1e-5
"""Pixels: a box with a shorter side has no area, as in Detectron2."""

_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class Defect:
    """Records of a dataset with the same thing wrong.

    Attributes:
        kind: what is wrong, as a plural (``"boxes without area"``).
        of: what the ids are those of, ``"annotation"``, ``"image"`` or ``"category"``.
        ids: (N,) int64, N at least 1.
    """

    kind: str
    of: str
    ids: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def __str__(self) -> str:
        named = ", ".join(str(number) for number in self.ids[:_SHOWN].tolist())
        more = ", …" if len(self.ids) > _SHOWN else ""
        plural = "ids" if len(self.ids) > 1 else "id"
        return f"{len(self.ids)} {self.kind} ({self.of} {plural} {named}{more})"


def boxes_without_area(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N,), of (N, 4) boxes x, y, width, height: a side is no number, or too short."""
    wrong = np.zeros(len(boxes), np.bool_)
    wrong |= ~np.isfinite(boxes).all(axis=1)
    wrong |= ~(boxes[:, 2:] >= LEAST_SIDE).all(axis=1)
    return wrong


def extents_outside(
    extents: NDArray[np.float64], widths: NDArray[np.int64], heights: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(N,), of (N, 4) smallest and largest x and y: nothing lies in the image, or one is no number.

    Args:
        widths, heights: (N,), of each one's image.
    """
    x1, y1, x2, y2 = extents.T
    inside: NDArray[np.bool_] = (x1 < widths) & (y1 < heights) & (x2 > 0) & (y2 > 0)
    return ~inside


def refuse(defects: Iterable[Defect], *, file: str, dataset: str) -> None:
    """Raise an ``InputError`` that names them, where there are any.

    Args:
        dataset: what ``benchsuite data verify`` is given for it.
    """
    found: Sequence[Defect] = tuple(defects)
    if found:
        raise InputError(
            f"cannot be trained on as it is: {'; '.join(map(str, found))}",
            file=file or dataset,
            remedy=f"`benchsuite data verify {dataset}` names them all; training.drop_invalid=true "
            "leaves them out",
        )
