"""The parameters of COCO's detection protocol and its keypoint variant."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_EVERY_AREA = 1e5**2

EVERY_CATEGORY = -1
"""The category id that a match table has where categories are not told apart, as in COCOeval."""

AREAS = {
    "all": (0.0, _EVERY_AREA),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, _EVERY_AREA),
}
"""Area ranges in square pixels; both ends belong to a range."""


@dataclass(frozen=True, slots=True)
class Value:
    """One number of the protocol's summary.

    Attributes:
        name: what it is called (``"AP50"``).
        kind: ``"precision"`` (averaged over recalls too) or ``"recall"``.
        area: label of the area range.
        max_detections: detections of an image and category that count.
        iou: the IoU threshold; ``None``: the mean over all.
        categories: ids, ascending, of those it is the mean over; ``None``: all, and then there is
            such a value of each category, too.
    """

    name: str
    kind: str
    area: str
    max_detections: int
    iou: float | None = None
    categories: tuple[int, ...] | None = None

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Value:
        """The value that ``asdict`` made, by way of JSON."""
        ids = stored.get("categories")
        return cls(**{**stored, "categories": None if ids is None else tuple(ids)})


@dataclass(frozen=True, slots=True)
class CocoProtocol:
    """What a match table was made by, and all that accumulating it needs.

    Attributes:
        task: ``bbox``, ``segm`` or ``keypoints``.
        iou_thresholds: at which a detection may match a truth (OKS, for keypoints).
        recalls: at which precision is read off.
        areas: labels of the area ranges.
        area_ranges: (smallest, largest) of each, in square pixels.
        max_detections: how many detections of an image and category count, ascending.
        values: the summary.
    """

    task: str
    iou_thresholds: tuple[float, ...]
    recalls: tuple[float, ...]
    areas: tuple[str, ...]
    area_ranges: tuple[tuple[float, float], ...]
    max_detections: tuple[int, ...]
    values: tuple[Value, ...]

    @property
    def most_detections(self) -> int:
        return self.max_detections[-1]

    def to_json(self) -> str:
        """As JSON, floats exact."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> CocoProtocol:
        """The protocol that ``to_json`` wrote."""
        stored: dict[str, Any] = json.loads(text)
        return cls(
            task=stored["task"],
            iou_thresholds=tuple(stored["iou_thresholds"]),
            recalls=tuple(stored["recalls"]),
            areas=tuple(stored["areas"]),
            area_ranges=tuple((low, high) for low, high in stored["area_ranges"]),
            max_detections=tuple(stored["max_detections"]),
            values=tuple(Value.from_json(value) for value in stored["values"]),
        )


def detection_protocol(task: str) -> CocoProtocol:
    """The protocol of boxes and masks: ten IoU thresholds, four area ranges, 1, 10 and 100."""
    return _protocol(
        task,
        tuple(AREAS),
        (1, 10, 100),
        (
            Value("AP", "precision", "all", 100),
            Value("AP50", "precision", "all", 100, 0.5),
            Value("AP75", "precision", "all", 100, 0.75),
            Value("APs", "precision", "small", 100),
            Value("APm", "precision", "medium", 100),
            Value("APl", "precision", "large", 100),
            Value("AR1", "recall", "all", 1),
            Value("AR10", "recall", "all", 10),
            Value("AR100", "recall", "all", 100),
            Value("ARs", "recall", "small", 100),
            Value("ARm", "recall", "medium", 100),
            Value("ARl", "recall", "large", 100),
        ),
    )


def keypoint_protocol() -> CocoProtocol:
    """The protocol of keypoints: ten OKS thresholds, no small objects, 20 detections."""
    return _protocol(
        "keypoints",
        ("all", "medium", "large"),
        (20,),
        (
            Value("AP", "precision", "all", 20),
            Value("AP50", "precision", "all", 20, 0.5),
            Value("AP75", "precision", "all", 20, 0.75),
            Value("APm", "precision", "medium", 20),
            Value("APl", "precision", "large", 20),
            Value("AR", "recall", "all", 20),
            Value("AR50", "recall", "all", 20, 0.5),
            Value("AR75", "recall", "all", 20, 0.75),
            Value("ARm", "recall", "medium", 20),
            Value("ARl", "recall", "large", 20),
        ),
    )


def _protocol(
    task: str,
    areas: tuple[str, ...],
    max_detections: tuple[int, ...],
    values: tuple[Value, ...],
) -> CocoProtocol:
    return CocoProtocol(
        task=task,
        iou_thresholds=_linspace(0.5, 0.95, 10),
        recalls=_linspace(0.0, 1.0, 101),
        areas=areas,
        area_ranges=tuple(AREAS[area] for area in areas),
        max_detections=max_detections,
        values=values,
    )


def _linspace(first: float, last: float, count: int) -> tuple[float, ...]:
    # The protocol's thresholds are what linspace makes, which is not k / 100 to the bit.
    spaced: NDArray[np.float64] = np.linspace(first, last, count)
    return tuple(spaced.tolist())
