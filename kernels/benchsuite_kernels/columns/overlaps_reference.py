"""Overlaps of boxes, masks and keypoints in NumPy: what the C++ kernels are held against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.columns import rle_reference
from benchsuite_kernels.columns.overlaps import (
    BoundaryOverlaps,
    BoxOverlaps,
    Floats,
    GivenOverlaps,
    KeypointOverlaps,
    MaskOverlaps,
    Masks,
    Overlaps,
    Rows,
)

_Flags = NDArray[np.bool_]


def overlap_matrix(overlaps: Overlaps, detections: Rows, truths: Rows, crowd: _Flags) -> Floats:
    """(D, M) overlaps of the detections and truths of one group.

    Args:
        detections: (D,) rows of detections.
        truths: (M,) rows of truths, ascending.
        crowd: (M,) which truths are crowds.

    Raises:
        ValueError: a mask is malformed, or a given pair is not of one group.
    """
    match overlaps:
        case BoxOverlaps():
            return _box_ious(overlaps.detections[detections], overlaps.truths[truths], crowd)
        case MaskOverlaps():
            return _mask_ious(
                _decoded(overlaps.detections, detections, "detection"),
                _decoded(overlaps.truths, truths, "truth"),
                crowd,
            )
        case BoundaryOverlaps():
            return _boundary_ious(
                _decoded(overlaps.detections, detections, "detection"),
                _decoded(overlaps.truths, truths, "truth"),
                crowd,
                overlaps.ratio,
            )
        case KeypointOverlaps():
            return _similarities(overlaps, detections, truths)
        case GivenOverlaps():
            return _given(overlaps, detections, truths)


def _box_ious(detections: Floats, truths: Floats, crowd: _Flags) -> Floats:
    """(D, M) IoU of ``x, y, width, height``."""
    detections, truths = detections[:, None], truths[None]
    with np.errstate(all="ignore"):
        low, high = detections[..., :2], detections[..., 2:] + detections[..., :2]
        # fmin and fmax: a corner that is not a number counts as the other box's.
        sides = np.fmin(high, truths[..., 2:] + truths[..., :2]) - np.fmax(low, truths[..., :2])
        common = sides[..., 0] * sides[..., 1]
        area = detections[..., 2] * detections[..., 3]
        union = np.where(crowd, area, area + truths[..., 2] * truths[..., 3] - common)
        return np.where((sides <= 0).any(axis=-1), 0.0, common / union)


class _Mask:
    """A mask, decoded.

    Attributes:
        size: height and width of its image.
        runs: run lengths, background first.
        starts, stops: where the stretches of foreground are, as far as they are not empty.
        area: pixels inside.
        box: the smallest one round it, (x, y, width, height).
        regular: whether no run but the first and the last is empty.
    """

    def __init__(self, counts: bytes, size: tuple[int, int]) -> None:
        self.size = size
        self.runs = rle_reference.decompress(counts)
        rle_reference.check_cover(self.runs, size)
        bounds = np.cumsum(self.runs)
        stops, lengths = bounds[1::2], self.runs[1::2]
        self.starts, self.stops = (stops - lengths)[lengths > 0], stops[lengths > 0]
        self.area = int(lengths.sum())
        self.box = rle_reference.to_bbox(counts, size)
        self.regular = bool((self.runs[1:-1] > 0).all())


def _decoded(masks: Masks, rows: Rows, side: str) -> list[_Mask]:
    decoded = []
    for row in rows.tolist():
        counts = masks.counts[masks.offsets[row] : masks.offsets[row + 1]].tobytes()
        height, width = masks.sizes[row].tolist()
        try:
            decoded.append(_Mask(counts, (height, width)))
        except ValueError as error:
            raise ValueError(f"mask of {side} {row}: {error}") from None
    return decoded


def _mask_ious(detections: list[_Mask], truths: list[_Mask], crowd: _Flags) -> Floats:
    """(D, M) IoU."""
    ious = np.zeros((len(detections), len(truths)))
    for d, detection in enumerate(detections):
        for t, truth in enumerate(truths):
            if not _boxes_meet(detection.box, truth.box):
                continue
            if detection.size != truth.size:
                ious[d, t] = -1
                continue
            if detection.regular or truth.regular:
                common = _common_pixels(detection, truth)
                union = detection.area + truth.area - common
            else:
                common, union = _common_and_union(detection.runs, truth.runs)
            ious[d, t] = common / (detection.area if crowd[t] else union) if common else 0.0
    return ious


def _boxes_meet(first: tuple[int, int, int, int], second: tuple[int, int, int, int]) -> bool:
    return all(
        first[axis] < second[axis] + second[axis + 2]
        and second[axis] < first[axis] + first[axis + 2]
        for axis in (0, 1)
    )


def _common_pixels(first: _Mask, second: _Mask) -> int:
    """Pixels inside both."""
    bounds = np.stack([second.starts, second.stops], axis=1).ravel()
    # Pixels of the second mask before each of its bounds, and so, in between, before any place.
    before = np.cumsum(
        np.append(0, np.where(np.arange(len(bounds)) % 2, np.diff(bounds, prepend=0), 0))
    )

    def inside_before(places: Rows) -> Rows:
        at = np.searchsorted(bounds, places, side="right")
        within = np.where(at % 2, places - np.append(0, bounds)[at], 0)
        return before[at] + within

    return int((inside_before(first.stops) - inside_before(first.starts)).sum())


def _common_and_union(first: Rows, second: Rows) -> tuple[int, int]:
    """Pixels inside both and inside either, as far as pycocotools walks the runs.

    It stops where both masks run out at once, be it into an empty run.
    """
    left, right = first.tolist(), second.tolist()
    a, b, at_a, at_b = left[0], right[0], 1, 1
    in_a = in_b = False
    common = union = 0
    more = True
    while more:
        step = min(a, b)
        if in_a or in_b:
            union += step
            common += step if in_a and in_b else 0
        a -= step
        b -= step
        if a == 0 and at_a < len(left):
            a, at_a, in_a = left[at_a], at_a + 1, not in_a
        if b == 0 and at_b < len(right):
            b, at_b, in_b = right[at_b], at_b + 1, not in_b
        more = a + b > 0
    return common, union


def _boundary_ious(
    detections: list[_Mask], truths: list[_Mask], crowd: _Flags, ratio: float
) -> Floats:
    """(D, M) boundary IoU."""
    of_masks = _mask_ious(detections, truths, crowd)
    of_boundaries = _mask_ious(
        [_boundary(mask, ratio) for mask in detections],
        [_boundary(mask, ratio) for mask in truths],
        crowd,
    )
    return np.where(crowd, of_masks, np.minimum(of_masks, of_boundaries))


def _boundary(mask: _Mask, ratio: float) -> _Mask:
    """The pixels of a mask that are near the outside."""
    height, width = mask.size
    reach = max(round(ratio * np.sqrt(height**2 + width**2)), 1)
    pixels = np.repeat(np.arange(len(mask.runs)) % 2, mask.runs).reshape(mask.size, order="F")
    # How many pixels of the mask are above and left of each corner of a pixel.
    before = np.pad(pixels, ((reach + 1, reach), (reach + 1, reach))).cumsum(0).cumsum(1)
    window = 2 * reach + 1
    around = (
        before[window:, window:]
        - before[:-window, window:]
        - before[window:, :-window]
        + before[:-window, :-window]
    )
    boundary = (pixels == 1) & (around < window**2)
    return _Mask(rle_reference.encode(boundary), mask.size)


def _similarities(overlaps: KeypointOverlaps, detections: Rows, truths: Rows) -> Floats:
    """(D, M) object keypoint similarities."""
    points = overlaps.detections[detections]
    x, y = points[:, 0::3], points[:, 1::3]
    variances = (overlaps.sigmas * 2) ** 2
    similarities = np.zeros((len(detections), len(truths)))
    with np.errstate(all="ignore"):
        for t, truth in enumerate(truths.tolist()):
            true = overlaps.truths[truth]
            visible = true[2::3] > 0
            if visible.any():
                dx, dy = x - true[0::3], y - true[1::3]
            else:
                left, top, width, height = overlaps.boxes[truth].tolist()
                dx = _beyond(x, left - width, left + width * 2)
                dy = _beyond(y, top - height, top + height * 2)
                visible[:] = True
            scale = overlaps.areas[truth] + np.spacing(1)
            exponents = (dx**2 + dy**2) / variances / scale / 2
            for d, exponent in enumerate(exponents):
                terms = np.exp(-exponent[visible])
                similarities[d, t] = np.sum(terms) / np.float64(len(terms))
    return similarities


def _beyond(places: Floats, low: float, high: float) -> Floats:
    """How far places lie outside of a stretch."""
    outside: Floats = np.maximum(0.0, low - places) + np.maximum(0.0, places - high)
    return outside


def _given(overlaps: GivenOverlaps, detections: Rows, truths: Rows) -> Floats:
    values = np.zeros((len(detections), len(truths)))
    for d, row in enumerate(detections.tolist()):
        pairs = slice(overlaps.starts[row], overlaps.starts[row + 1])
        named = overlaps.truths[pairs]
        if not np.isin(named, truths).all():
            raise ValueError(f"detection {row} is paired with a truth of another group")
        values[d, np.searchsorted(truths, named)] = overlaps.values[pairs]
    return values
