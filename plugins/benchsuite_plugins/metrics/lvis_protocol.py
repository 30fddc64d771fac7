"""The parameters of LVIS's detection protocol, those of the ``lvis`` package."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from benchsuite.specs import Category
from benchsuite_plugins.metrics.coco_options import CocoOptions
from benchsuite_plugins.metrics.coco_protocol import CocoProtocol, Value, detection_protocol


@dataclass(frozen=True, slots=True)
class LvisOptions:
    """Options of LVIS's metrics; what is empty is as the protocol has it.

    Attributes:
        iou_thresholds: at which a detection may match. AP and AR are means over them; AP50 and AP75
            are there where 0.5 and 0.75 are among them.
        max_detections: how many detections of an image count, whatever their categories.
        areas: label to smallest and largest area in square pixels; ``all`` is always there. Values
            are called after the label's first letter for small, medium and large, else after the
            label.
    """

    iou_thresholds: tuple[float, ...] = ()
    max_detections: int = 300
    areas: Mapping[str, tuple[float, float]] | None = None


def lvis_protocol(
    task: str, categories: Iterable[Category], options: LvisOptions | None = None
) -> CocoProtocol:
    """COCO's IoU thresholds, recalls and area ranges; 300 detections; LVIS's own summary.

    Args:
        task: ``bbox`` or ``segm``.
        categories: those evaluated, whose frequencies (rare, common, frequent) ``APr``, ``APc`` and
            ``APf`` go by.
        options: what is chosen otherwise.

    Raises:
        UsageError: an option is out of range.
    """
    options = options or LvisOptions()
    chosen = CocoOptions(options.iou_thresholds, (options.max_detections,), options.areas)
    protocol = chosen.applied(detection_protocol(task))
    return replace(protocol, values=tuple(_values(protocol, categories)))


_SHORT = {"small": "s", "medium": "m", "large": "l"}


def _values(protocol: CocoProtocol, categories: Iterable[Category]) -> Iterator[Value]:
    """The summary, in the package's order."""
    most = protocol.most_detections
    smaller = [area for area in protocol.areas if area != "all"]
    ids: dict[str, list[int]] = {"r": [], "c": [], "f": []}
    for category in categories:
        if category.frequency in ids:
            ids[category.frequency].append(category.id)
    yield Value("AP", "precision", "all", most)
    for name, iou in (("AP50", 0.5), ("AP75", 0.75)):
        if iou in protocol.iou_thresholds:
            yield Value(name, "precision", "all", most, iou)
    for area in smaller:
        yield Value(f"AP{_SHORT.get(area, f'_{area}')}", "precision", area, most)
    for name, of_name in ids.items():
        yield Value(f"AP{name}", "precision", "all", most, categories=tuple(sorted(of_name)))
    yield Value(f"AR@{most}", "recall", "all", most)
    for area in smaller:
        yield Value(f"AR{_SHORT.get(area, f'_{area}')}@{most}", "recall", area, most)
