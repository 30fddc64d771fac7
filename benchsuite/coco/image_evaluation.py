"""One image and category, evaluated as ``COCOeval.evaluateImg`` does: its entry of ``evalImgs``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchsuite.coco.records import Record, values

Entry = dict[str, Any]

_NEARLY_ONE = 1 - 1e-10
"""The overlap that a threshold above it is lowered to."""


def by_score(detections: Sequence[Record], most: int) -> list[Record]:
    """The best detections by descending score: of equal ones the earlier first, NaN last."""
    scores = np.array(values(detections, "score"), np.float64)
    return [detections[place] for place in np.argsort(-scores, kind="stable")[:most].tolist()]


def image_entry(
    truths: Sequence[Record],
    detections: Sequence[Record],
    overlaps: Any,
    thresholds: Sequence[float],
    area_range: Sequence[float],
) -> Entry:
    """Who matched whom at each of T thresholds.

    Args:
        truths: G truths with ``id``, ``area``, ``iscrowd`` and ``ignore``, in file order.
        detections: D detections with ``id``, ``area`` and ``score``, by descending score.
        overlaps: (D, G); empty where nothing shall match.
        area_range: smallest and largest area.

    Returns:
        ``dtIds``, ``gtIds``, ``dtScores`` (lists), ``dtMatches`` (T, D) float64 (the id of the
        truth, or 0), ``gtMatches`` (T, G) likewise, ``gtIgnore`` (G,), ``dtIgnore`` (T, D). Truths
        that are ignored come last.
    """
    low, high = area_range
    outside = [truth["area"] < low or truth["area"] > high for truth in truths]
    ignored = np.array([int(bool(t["ignore"]) or out) for t, out in zip(truths, outside)])
    order = np.argsort(ignored, kind="stable")
    truths, ignored = [truths[place] for place in order.tolist()], ignored[order]
    shape = (len(thresholds), len(detections))
    detection_matches, detections_ignored = np.zeros(shape), np.zeros(shape, np.bool_)
    truth_matches = np.zeros((len(thresholds), len(truths)))
    if len(overlaps):
        matrix = np.asarray(overlaps)[:, order]
        crowd = [bool(int(truth["iscrowd"])) for truth in truths]
        for t, threshold in enumerate(thresholds):
            taken = _taken(matrix, threshold, ignored, crowd, detections, truth_matches[t])
            for d in np.flatnonzero(taken >= 0):
                detection_matches[t, d] = truths[taken[d]]["id"]
                detections_ignored[t, d] = ignored[taken[d]]
    outside = [detection["area"] < low or detection["area"] > high for detection in detections]
    detections_ignored |= (detection_matches == 0) & np.array(outside, np.bool_)
    return {
        "dtIds": [detection["id"] for detection in detections],
        "gtIds": [truth["id"] for truth in truths],
        "dtMatches": detection_matches,
        "gtMatches": truth_matches,
        "dtScores": [detection["score"] for detection in detections],
        "gtIgnore": ignored,
        "dtIgnore": detections_ignored,
    }


def _taken(
    overlaps: NDArray[np.float64],
    threshold: float,
    ignored: NDArray[np.int64],
    crowd: Sequence[bool],
    detections: Sequence[Record],
    truth_matches: NDArray[np.float64],
) -> NDArray[np.int64]:
    """(D,) which truth each detection takes, -1 for none; ``truth_matches`` (G,) gets their ids.

    As in pycocotools, a truth stays free if what took it has no id above 0.
    """
    least = min(threshold, _NEARLY_ONE)
    taken = np.full(len(overlaps), -1, np.int64)
    for d in np.flatnonzero(~(overlaps < least).all(axis=1)).tolist():
        best, chosen = least, -1
        for g, overlap in enumerate(overlaps[d].tolist()):
            if truth_matches[g] > 0 and not crowd[g]:
                continue
            if chosen >= 0 and ignored[g] and not ignored[chosen]:
                break
            # An overlap that is not a number is not less than any.
            if not overlap < best:
                best, chosen = overlap, g
        if chosen >= 0:
            truth_matches[chosen] = detections[d]["id"]
            taken[d] = chosen
    return taken
