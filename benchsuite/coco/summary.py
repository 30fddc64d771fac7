"""The numbers that ``COCOeval.summarize`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.coco.params import Params
from benchsuite.errors import UsageError


@dataclass(frozen=True, slots=True)
class _Line:
    """One number: AP or AR of an area range, at one IoU or (``None``) averaged over all."""

    precision: bool
    most: int
    iou: float | None = None
    area: str = "all"


def summarize(params: Params, evaluated: Mapping[str, Any]) -> NDArray[np.float64]:
    """Prints the summary, a line a number, and returns the numbers: (12,), or (10,) of keypoints.

    -1 stands where there is no truth to find, and where the parameters hold no such area range, IoU
    or number of detections (AP is always that at 100 detections, of keypoints at 20).

    Raises:
        UsageError: boxes or masks are evaluated at fewer than three numbers of detections.
    """
    keypoints = params.iouType == "keypoints"
    lines = _keypoint_lines() if keypoints else _detection_lines(params.maxDets)
    return np.array([_printed(line, params, evaluated) for line in lines], np.float64)


def _detection_lines(max_detections: list[int]) -> list[_Line]:
    if len(max_detections) < 3:
        raise UsageError(
            f"the summary needs three numbers in params.maxDets, which is {max_detections}; "
            "eval['precision'] and eval['recall'] hold what was evaluated"
        )
    few, some, most = max_detections[:3]
    sizes = ("small", "medium", "large")
    return [
        _Line(True, 100),
        *(_Line(True, most, iou) for iou in (0.5, 0.75)),
        *(_Line(True, most, area=size) for size in sizes),
        *(_Line(False, count) for count in (few, some, most)),
        *(_Line(False, most, area=size) for size in sizes),
    ]


def _keypoint_lines() -> list[_Line]:
    cases: list[dict[str, Any]] = [
        {},
        {"iou": 0.5},
        {"iou": 0.75},
        {"area": "medium"},
        {"area": "large"},
    ]
    return [_Line(precision, 20, **case) for precision in (True, False) for case in cases]


def _printed(line: _Line, params: Params, evaluated: Mapping[str, Any]) -> float:
    """The number, printed as pycocotools prints it."""
    thresholds = np.asarray(params.iouThrs)
    areas = [i for i, label in enumerate(params.areaRngLbl) if label == line.area]
    mosts = [i for i, most in enumerate(params.maxDets) if most == line.most]
    values = evaluated["precision" if line.precision else "recall"]
    if line.iou is not None:
        values = values[np.flatnonzero(thresholds == line.iou)]
    values = values[..., areas, mosts] if areas and mosts else np.empty(0)
    values = values[values > -1]
    mean = float(np.mean(values)) if len(values) else -1.0
    if line.iou is None:
        iou = f"{thresholds[0]:0.2f}:{thresholds[-1]:0.2f}"
    else:
        iou = f"{line.iou:0.2f}"
    name, short = ("Precision", "(AP)") if line.precision else ("Recall", "(AR)")
    print(
        f" {'Average ' + name:<18} {short} @[ IoU={iou:<9} | area={line.area:>6s} | "
        f"maxDets={line.most:>3d} ] = {mean:0.3f}"
    )
    return mean
