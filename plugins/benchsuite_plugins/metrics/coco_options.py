"""What may be chosen of COCO's protocol, and the protocol that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchsuite.errors import UsageError
from benchsuite.specs import KeypointLayout
from benchsuite_plugins.metrics.coco_protocol import CocoProtocol, Value

MOST_THRESHOLDS = 64


@dataclass(frozen=True, slots=True)
class CocoOptions:
    """Options of COCO's metrics; what is empty is as the protocol has it.

    Attributes:
        iou_thresholds: at which a detection may match (OKS, for keypoints). AP and AR are means
            over them; AP50 and AP75 are there where 0.5 and 0.75 are among them.
        max_detections: how many detections of an image and category count, ascending. AP counts
            the most of them (pycocotools' AP is -1 where that is not 100).
        areas: label to smallest and largest area in square pixels; ``all`` is always there. Its
            values are called after the label's first letter for small, medium and large, else
            ``AP_<label>``.
        category_ids: the categories to evaluate.
        use_categories: false: a detection may match a truth of any category.
        sigmas: one a keypoint, in place of the dataset's.
    """

    iou_thresholds: tuple[float, ...] = ()
    max_detections: tuple[int, ...] = ()
    areas: Mapping[str, tuple[float, float]] | None = None
    category_ids: tuple[int, ...] = ()
    use_categories: bool = True
    sigmas: tuple[float, ...] = ()

    def applied(self, protocol: CocoProtocol) -> CocoProtocol:
        """The protocol with these options.

        Raises:
            UsageError: thresholds are too many or not between 0 and 1, numbers of detections do not
                ascend, or an area range is upside down.
        """
        thresholds = self.iou_thresholds or protocol.iou_thresholds
        most = self.max_detections or protocol.max_detections
        areas = dict(zip(protocol.areas, protocol.area_ranges))
        if self.areas is not None:
            areas = {"all": areas["all"], **self.areas}
        if len(thresholds) > MOST_THRESHOLDS or not all(0 < t <= 1 for t in thresholds):
            raise UsageError(
                f"metric.iou_thresholds: {MOST_THRESHOLDS} at most, above 0 and up to 1"
            )
        if list(most) != sorted(set(most)) or most[0] < 1:
            raise UsageError(f"metric.max_detections={list(most)}: they must ascend from 1 on")
        for label, (low, high) in areas.items():
            if not low <= high or not label.isidentifier():
                raise UsageError(f"metric.areas: {label}={[low, high]} is no range with a name")
        changed = replace(
            protocol,
            iou_thresholds=tuple(thresholds),
            max_detections=tuple(most),
            areas=tuple(areas),
            area_ranges=tuple(areas.values()),
        )
        if (changed.areas, changed.max_detections, changed.iou_thresholds) == (
            protocol.areas,
            protocol.max_detections,
            protocol.iou_thresholds,
        ):
            return changed
        return replace(changed, values=_values(protocol, changed))

    def layout(self, stated: KeypointLayout | None) -> KeypointLayout | None:
        """The keypoint layout with these sigmas.

        Raises:
            UsageError: they are not as many as the keypoints, or not above 0.
        """
        if not self.sigmas:
            return stated
        if not all(sigma > 0 for sigma in self.sigmas):
            raise UsageError("metric.sigmas: every one must be above 0")
        if stated is None:
            names = tuple(f"keypoint {place}" for place in range(1, len(self.sigmas) + 1))
            return KeypointLayout(names, self.sigmas)
        if len(self.sigmas) != len(stated.names):
            raise UsageError(
                f"metric.sigmas has {len(self.sigmas)} numbers for {len(stated.names)} keypoints"
            )
        return replace(stated, sigmas=self.sigmas)


_LETTERS = {"all": "", "small": "s", "medium": "m", "large": "l"}


def _values(before: CocoProtocol, after: CocoProtocol) -> tuple[Value, ...]:
    """The summary of a changed protocol, in the order of the unchanged one's."""

    def named(kind: str, area: str) -> str:
        short = "AP" if kind == "precision" else "AR"
        return short + _LETTERS[area] if area in _LETTERS else f"{short}_{area}"

    most = after.most_detections
    at = {"AP50": 0.5, "AP75": 0.75}
    values = [Value("AP", "precision", "all", most)]
    values += [
        Value(name, "precision", "all", most, iou)
        for name, iou in at.items()
        if iou in after.iou_thresholds
    ]
    smaller = [area for area in after.areas if area != "all"]
    values += [Value(named("precision", area), "precision", area, most) for area in smaller]
    if before.task == "keypoints":
        values.append(Value("AR", "recall", "all", most))
    else:
        values += [Value(f"AR{count}", "recall", "all", count) for count in after.max_detections]
    values += [Value(named("recall", area), "recall", area, most) for area in smaller]
    return tuple(values)
