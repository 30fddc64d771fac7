"""Options of ``voc_ap``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

IOU_THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)

Convention = Literal["devkit", "detectron2"]
Interpolation = Literal["11-point", "every-point"]


@dataclass(frozen=True, slots=True)
class VocOptions:
    """Options of ``voc_ap``.

    Attributes:
        interpolation: ``11-point``: the mean of the best precision at recall 0, 0.1, …, 1 or
            higher, as in the challenges up to 2009; ``every-point``: the area below the best
            precision at each recall or higher, as in those from 2010 on. ``auto``: as in the
            challenge that the truth's images are of (their attribute ``challenge``), else
            ``every-point``.
        convention: ``devkit``: an overlap of the threshold is enough, and scores and boxes are
            taken as they are; ``detectron2``: the overlap must exceed the threshold, and scores are
            rounded to 3 decimals and boxes to 1 before they are scored, as that evaluator's files
            hold them.
        iou_thresholds: which thresholds ``AP`` is the mean over; ``AP50`` and ``AP75`` are there if
            0.5 and 0.75 are among them.
    """

    interpolation: Literal["auto", "11-point", "every-point"] = "auto"
    convention: Convention = "devkit"
    iou_thresholds: tuple[float, ...] = IOU_THRESHOLDS
