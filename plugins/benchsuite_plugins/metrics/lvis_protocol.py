"""The parameters of LVIS's detection protocol, those of the ``lvis`` package."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from benchsuite.specs import Category
from benchsuite_plugins.metrics.coco_protocol import CocoProtocol, Value, detection_protocol

MOST_DETECTIONS = 300
"""Detections of an image that count, whatever their categories."""


def lvis_protocol(task: str, categories: Iterable[Category]) -> CocoProtocol:
    """COCO's IoU thresholds, recalls and area ranges; 300 detections; LVIS's own summary.

    Args:
        task: ``bbox`` or ``segm``.
        categories: those evaluated, whose frequencies (rare, common, frequent) ``APr``, ``APc`` and
            ``APf`` go by.
    """
    ids: dict[str, list[int]] = {"r": [], "c": [], "f": []}
    for category in categories:
        if category.frequency in ids:
            ids[category.frequency].append(category.id)
    most = MOST_DETECTIONS

    def recall(name: str, area: str) -> Value:
        return Value(f"{name}@{most}", "recall", area, most)

    return replace(
        detection_protocol(task),
        max_detections=(most,),
        values=(
            Value("AP", "precision", "all", most),
            Value("AP50", "precision", "all", most, 0.5),
            Value("AP75", "precision", "all", most, 0.75),
            Value("APs", "precision", "small", most),
            Value("APm", "precision", "medium", most),
            Value("APl", "precision", "large", most),
            *(
                Value(f"AP{name}", "precision", "all", most, categories=tuple(sorted(of_name)))
                for name, of_name in ids.items()
            ),
            recall("AR", "all"),
            recall("ARs", "small"),
            recall("ARm", "medium"),
            recall("ARl", "large"),
        ),
    )
