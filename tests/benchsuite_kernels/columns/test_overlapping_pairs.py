"""Pairs that overlap: by hand, against pycocotools, and the C++ kernel against the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as pycocotools_mask

from benchsuite_kernels.columns import overlapping_pairs as module
from benchsuite_kernels.columns import rle
from benchsuite_kernels.columns.overlapping_pairs import overlapping_pairs
from benchsuite_kernels.columns.overlaps import (
    BoxOverlaps,
    GivenOverlaps,
    KeypointOverlaps,
    MaskOverlaps,
    Masks,
)
from benchsuite_kernels.dispatch import native

SIDE = 12


@pytest.fixture(params=["reference", "c++"])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    use(request.param, monkeypatch)
    return str(request.param)


def use(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    extension = native()
    if name == "c++" and extension is None:
        pytest.skip("the extension is not built")
    monkeypatch.setattr(module, "native", lambda: extension if name == "c++" else None)


def boxes(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float64).reshape(-1, 4)


def groups(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def pairs(found: GivenOverlaps) -> list[tuple[int, int, float]]:
    rows = np.repeat(np.arange(len(found.starts) - 1), np.diff(found.starts))
    return list(zip(rows.tolist(), found.truths.tolist(), found.values.tolist()))


def test_pairs_of_a_group(implementation: str) -> None:
    detections = boxes([0, 0, 4, 4], [0, 0, 4, 2], [0, 0, 4, 4], [9, 9, 1, 1])
    truths = boxes([0, 0, 4, 4], [0, 2, 4, 2], [0, 0, 4, 4])
    of_detections, of_truths = groups(7, -3, -3, 7), groups(-3, -3, 7)
    overlaps = BoxOverlaps(detections, truths)
    found = overlapping_pairs(of_detections, of_truths, overlaps, least=0.5, threads=1)
    assert pairs(found) == [(0, 2, 1.0), (1, 0, 0.5), (2, 0, 1.0), (2, 1, 0.5)]
    found = overlapping_pairs(of_detections, of_truths, overlaps, least=0.51, threads=1)
    assert pairs(found) == [(0, 2, 1.0), (2, 0, 1.0)]


def test_a_crowd_is_overlapped_by_the_detection_s_area(implementation: str) -> None:
    overlaps = BoxOverlaps(boxes([0, 0, 2, 2]), boxes([0, 0, 4, 4], [0, 0, 4, 4]))
    crowd = np.array([True, False])
    found = overlapping_pairs(groups(1), groups(1, 1), overlaps, crowd=crowd, least=0.1, threads=1)
    assert pairs(found) == [(0, 0, 1.0), (0, 1, 0.25)]


def test_keypoints_and_given_overlaps(implementation: str) -> None:
    points = np.array([[3.0, 3, 2], [4, 3, 2]])
    overlaps = KeypointOverlaps(
        points, points[:1], boxes([0, 0, 8, 8]), np.array([64.0]), np.array([0.1])
    )
    found = overlapping_pairs(groups(5, 5), groups(5), overlaps, least=0.5, threads=1)
    (first, second) = pairs(found)
    assert first == (0, 0, 1.0)
    assert second[2] == pytest.approx(np.exp(-1 / 0.04 / 64 / 2))
    again = overlapping_pairs(groups(5, 5), groups(5), found, least=0.9, threads=1)
    assert pairs(again) == [first]


def test_nothing_at_all(implementation: str) -> None:
    none = BoxOverlaps(boxes(), boxes())
    found = overlapping_pairs(groups(), groups(), none, least=0.1, threads=1)
    assert found.starts.tolist() == [0]
    found = overlapping_pairs(
        groups(1), groups(), BoxOverlaps(boxes([0, 0, 1, 1]), boxes()), least=0.1, threads=1
    )
    assert found.starts.tolist() == [0, 0]


@pytest.mark.parametrize("least", [0, -1, float("nan")])
def test_a_least_overlap_that_is_none(least: float) -> None:
    with pytest.raises(ValueError, match="least overlap"):
        overlapping_pairs(groups(), groups(), BoxOverlaps(boxes(), boxes()), least=least, threads=1)


def test_sides_of_other_lengths() -> None:
    overlaps = BoxOverlaps(boxes([0, 0, 1, 1]), boxes())
    with pytest.raises(ValueError, match="1 detections, not 2"):
        overlapping_pairs(groups(1, 1), groups(), overlaps, least=0.5, threads=1)


# --- generated cases ------------------------------------------------------------------------

number = st.sampled_from([-1.0, 0.0, 1.0, 2.5, 4.0, 6.0, 9.0])
box = st.tuples(number, number, number.map(abs), number.map(abs)).map(list)


@st.composite
def sides(draw: st.DrawFn) -> tuple[Any, ...]:
    group = st.integers(-1, 2)
    detections = draw(st.lists(st.tuples(group, box), max_size=20))
    truths = draw(st.lists(st.tuples(group, box, st.booleans()), max_size=12))
    return (
        groups(*[each[0] for each in detections]),
        groups(*[each[0] for each in truths]),
        boxes(*[each[1] for each in detections]),
        boxes(*[each[1] for each in truths]),
        np.array([each[2] for each in truths], np.bool_),
    )


def masks(of_boxes: np.ndarray) -> Masks:
    counts = []
    for x, y, width, height in of_boxes.astype(int).tolist():
        inside = np.zeros((SIDE, SIDE), np.bool_)
        inside[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = True
        counts.append(rle.encode(inside))
    offsets = np.cumsum([0, *map(len, counts)]).astype(np.int64)
    data = np.frombuffer(b"".join(counts), np.uint8)
    return Masks(data, offsets, np.full((len(counts), 2), SIDE, np.int32))


@pytest.mark.parametrize("shape", ["boxes", "masks"])
@pytest.mark.parametrize("name", ["reference", "c++"])
def test_against_pycocotools(shape: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(name, monkeypatch)

    @given(
        case=sides(), least=st.sampled_from([1e-9, 0.1, 0.25, 0.5, 1.0]), threads=st.integers(1, 3)
    )
    @settings(deadline=None, max_examples=60)
    def check(case: tuple[Any, ...], least: float, threads: int) -> None:
        of_detections, of_truths, detections, truths, crowd = case
        overlaps: Any = BoxOverlaps(detections, truths)
        shapes = [detections, truths]
        if shape == "masks":
            overlaps = MaskOverlaps(masks(detections), masks(truths))
            shapes = [
                [
                    {
                        "size": [SIDE, SIDE],
                        "counts": side.counts[side.offsets[i] : side.offsets[i + 1]].tobytes(),
                    }
                    for i in range(len(side))
                ]
                for side in (overlaps.detections, overlaps.truths)
            ]
        expected = []
        if len(of_detections) and len(of_truths):
            matrix = pycocotools_mask.iou(*shapes, crowd.astype(np.uint8))
            matrix[of_detections[:, None] != of_truths[None]] = 0
            expected = [(d, t, matrix[d, t]) for d, t in np.argwhere(matrix >= least).tolist()]
        found = overlapping_pairs(
            of_detections, of_truths, overlaps, crowd=crowd, least=least, threads=threads
        )
        assert pairs(found) == expected

    check()
