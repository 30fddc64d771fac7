"""Overlaps of rotated boxes, both implementations, against polygons clipped by shapely."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchsuite_kernels.columns import rotated_iou, rotated_iou_reference
from benchsuite_kernels.columns.rotated_boxes import corners
from benchsuite_kernels.dispatch import native

TINY = 1e-300


@pytest.fixture(params=["reference", "c++"], autouse=True)
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    extension = native()
    if request.param == "c++" and extension is None:
        pytest.skip("the extension is not built")
    monkeypatch.setattr(
        rotated_iou, "native", lambda: extension if request.param == "c++" else None
    )
    return request.param


def matrix(
    detections: list[list[float]], truths: list[list[float]], crowd: bool = False
) -> NDArray[np.float64]:
    """(N, G) overlaps, 0 where a pair is not given."""
    n, g = len(detections), len(truths)
    found = rotated_iou.rotated_iou(
        np.array(detections, np.float64).reshape(-1, 5),
        np.array(truths, np.float64).reshape(-1, 5),
        detection_groups=np.zeros(n, np.int64),
        truth_groups=np.zeros(g, np.int64),
        crowd=np.full(g, crowd),
        least=TINY,
        threads=1,
    )
    values = np.zeros((n, g))
    values[np.repeat(np.arange(n), np.diff(found.starts)), found.truths] = found.values
    return values


def one(detection: list[float], truth: list[float], crowd: bool = False) -> float:
    return float(matrix([detection], [truth], crowd)[0, 0])


# --- worked out by hand -----------------------------------------------------------------------


@pytest.mark.parametrize("angle", [0, 30, 45, 90, 137.5, -180, 1000])
def test_a_box_overlaps_itself_wholly(angle):
    box = [30.25, 11.5, 12, 7, angle]
    assert one(box, box) == pytest.approx(1, abs=1e-15)
    assert one(box, [*box[:4], angle + 360]) == pytest.approx(1, abs=1e-12)
    assert one(box, [*box[:4], angle + 180]) == pytest.approx(1, abs=1e-12)
    # Width and height change places with a quarter turn.
    assert one(box, [30.25, 11.5, 7, 12, angle + 90]) == pytest.approx(1, abs=1e-12)


def test_upright_boxes_are_boxes():
    assert one([5, 5, 10, 10, 0], [10, 5, 10, 10, 0]) == 1 / 3
    assert one([5, 5, 10, 10, 90], [10, 5, 10, 10, -90]) == 1 / 3
    assert one([5, 5, 10, 10, 0], [15, 5, 10, 10, 0]) == 0
    assert one([5, 5, 10, 10, 0], [5, 5, 10, 5, 0]) == 0.5
    assert one([5, 5, 10, 10, 0], [30, 30, 10, 10, 45]) == 0


def test_a_square_and_its_eighth_turn():
    octagon = 8 * (math.sqrt(2) - 1)
    assert one([0, 0, 2, 2, 0], [0, 0, 2, 2, 45]) == pytest.approx(octagon / (8 - octagon))


def test_a_diamond_in_a_square():
    # Corners at the middles of the sides: half the area.
    side = 2 / math.sqrt(2)
    assert one([3, 3, 2, 2, 0], [3, 3, side, side, 45]) == pytest.approx(0.5, abs=1e-15)


def test_a_long_thin_cross():
    assert one([0, 0, 100, 1, 0], [0, 0, 100, 1, 90]) == pytest.approx(1 / 199, rel=1e-14)
    assert one([0, 0, 100, 1, 45], [0, 0, 100, 1, -45]) == pytest.approx(1 / 199, rel=1e-13)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        # Published with Detectron2's implementation, where float32 once gave other values.
        ([5, 5, 10, 6, 55], [5, 5, 10, 6, -35], 36 / 84),
        ([299.5, 417.370422, 600, 364.259186, 27.1828],
         [299.5, 417.370422, 600, 364.259155, 27.1828], 364.259155 / 364.259186),
        ([3, 3, 8, 2, -45], [6, 0, 8, 2, -45], 0),
        ([160, 153, 230, 23, -37], [190, 127, 80, 21, -46], 0),
        # Far from the origin, where float32 has no tenths of a pixel left.
        ([15e6, 15e6, 30, 12, 20], [15e6, 15e6, 30, 6, 20], 0.5),
    ],
)  # fmt: skip
def test_published_cases(a, b, expected):
    assert one(a, b) == pytest.approx(expected, abs=1e-13)


def test_boxes_without_area_overlap_nothing():
    flat = [[5, 5, 0, 10, 30], [5, 5, 10, 0, 0], [5, 5, 0, 0, 0], [5, 5, -3, -3, 0]]
    whole = [[5, 5, 10, 10, 0]]
    assert (matrix(flat, [*whole, *flat]) == 0).all()
    assert (matrix(whole, flat) == 0).all()


def test_a_crowd_is_not_divided_by():
    assert one([5, 5, 10, 10, 0], [5, 5, 100, 100, 33], crowd=True) == 1
    assert one([5, 5, 10, 10, 0], [10, 5, 10, 10, 0], crowd=True) == 0.5


# --- against shapely --------------------------------------------------------------------------

CENTRE = st.one_of(st.integers(-20, 20).map(float), st.floats(-20, 20))
SIDE = st.one_of(st.integers(1, 30).map(float), st.floats(0.01, 40))
ANGLE = st.one_of(st.sampled_from([0.0, 30, 45, 90, -90, 180]), st.floats(-400, 400))
BOX = st.tuples(CENTRE, CENTRE, SIDE, SIDE, ANGLE).map(list)

thorough = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


@thorough
@given(st.lists(BOX, min_size=1, max_size=4), st.lists(BOX, min_size=1, max_size=4))
def test_equal_to_clipped_polygons(detections, truths):
    geometry = pytest.importorskip("shapely.geometry")
    sides = [
        [geometry.Polygon(points) for points in corners(np.array(boxes))]
        for boxes in (detections, truths)
    ]
    expected = [
        [a.intersection(b).area / (a.area + b.area - a.intersection(b).area) for b in sides[1]]
        for a in sides[0]
    ]
    np.testing.assert_allclose(matrix(detections, truths), expected, atol=1e-9)


@thorough
@given(BOX, BOX, st.floats(-180, 180))
def test_a_turn_of_both_changes_nothing(a, b, angle):
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))

    def turned(box):
        x, y, *sides, own = box
        return [cosine * x + sine * y, cosine * y - sine * x, *sides, own + angle]

    assert one(turned(a), turned(b)) == pytest.approx(one(a, b), abs=1e-9)
    assert one(b, a) == pytest.approx(one(a, b), abs=1e-12)


# --- both implementations ---------------------------------------------------------------------

GROUP = st.integers(-1, 2)


@thorough
@given(
    detections=st.lists(st.tuples(BOX, GROUP), max_size=12),
    truths=st.lists(st.tuples(BOX, GROUP, st.booleans()), max_size=12),
    least=st.sampled_from([TINY, 0.1, 0.5, 1.0]),
    threads=st.integers(1, 3),
)
def test_the_same_bits_from_both(detections, truths, least, threads, monkeypatch):
    if (extension := native()) is None:
        pytest.skip("the extension is not built")
    arguments = {
        "detections": np.array([box for box, _ in detections], np.float64).reshape(-1, 5),
        "truths": np.array([box for box, _, _ in truths], np.float64).reshape(-1, 5),
        "detection_groups": np.array([group for _, group in detections], np.int64),
        "truth_groups": np.array([group for _, group, _ in truths], np.int64),
        "crowd": np.array([crowd for _, _, crowd in truths], np.bool_),
        "least": least,
        "threads": threads,
    }
    found = []
    for serving in (extension, None):
        monkeypatch.setattr(rotated_iou, "native", lambda serving=serving: serving)
        found.append(rotated_iou.rotated_iou(**arguments))
    for name in ("starts", "truths", "values"):
        assert np.array_equal(getattr(found[0], name), getattr(found[1], name))


def test_many_pairs_go_in_parts(monkeypatch):
    monkeypatch.setattr(rotated_iou_reference, "PAIRS_AT_ONCE", 7)
    generator = np.random.default_rng(4)
    boxes = generator.uniform(1, 30, (700, 5))
    groups = generator.integers(0, 5, 700)
    found = rotated_iou.rotated_iou(
        boxes[:600], boxes[600:], detection_groups=groups[:600], truth_groups=groups[600:],
        least=0.25, threads=3,
    )  # fmt: skip
    whole = matrix(boxes[:600].tolist(), boxes[600:].tolist())
    whole[groups[:600, None] != groups[None, 600:]] = 0
    rows, columns = np.nonzero(whole >= 0.25)
    assert len(rows) > 100
    assert np.array_equal(np.repeat(np.arange(600), np.diff(found.starts)), rows)
    assert np.array_equal(found.truths, columns)
    assert np.array_equal(found.values, whole[rows, columns])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"detections": np.array([[0, 0, 1, 1, np.nan]])}, r"detections\[0\] holds a number that"),
        ({"truths": np.array([[0, np.inf, 1, 1, 0]])}, r"truths\[0\] holds a number that"),
        ({"truths": np.zeros((1, 4))}, "truths is not a"),
        ({"detection_groups": np.zeros(2, np.int64)}, "detection_groups is not a"),
        ({"crowd": np.zeros(1, np.int64)}, "crowd is not a"),
        ({"least": 0.0}, "the least overlap that counts is 0.0, not above 0"),
        ({"least": float("nan")}, "the least overlap that counts is nan"),
    ],
)
def test_arguments_that_are_refused(change, problem):
    good = {
        "detections": np.ones((1, 5)),
        "truths": np.ones((1, 5)),
        "detection_groups": np.zeros(1, np.int64),
        "truth_groups": np.zeros(1, np.int64),
        "least": 0.5,
        "threads": 1,
    }
    with pytest.raises(ValueError, match=problem):
        rotated_iou.rotated_iou(**{**good, **change})
