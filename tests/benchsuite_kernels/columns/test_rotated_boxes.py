"""Corners of rotated boxes and smallest boxes round quadrilaterals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchsuite_kernels.columns.rotated_boxes import corners, cosine_and_sine, smallest_boxes


def test_corners_worked_out_by_hand():
    # A box 4 wide and 2 high round (5, 3), upright and turned by a quarter counter-clockwise.
    boxes = np.array([[5.0, 3, 4, 2, 0], [5, 3, 4, 2, 90], [5, 3, 4, 2, -90], [5, 3, 4, 2, 180]])
    assert corners(boxes).tolist() == [
        [[3, 2], [7, 2], [7, 4], [3, 4]],
        [[4, 5], [4, 1], [6, 1], [6, 5]],
        [[6, 1], [6, 5], [4, 5], [4, 1]],
        [[7, 4], [3, 4], [3, 2], [7, 2]],
    ]


@pytest.mark.parametrize("turns", [-3, -1, 0, 1, 5])
def test_quarters_are_exact(turns):
    degrees = np.array([0.0, 90.0, 180.0, 270.0]) + 360.0 * turns
    cosine, sine = cosine_and_sine(degrees)
    assert cosine.tolist() == [1, 0, -1, 0]
    assert sine.tolist() == [0, 1, 0, -1]


@given(arrays(np.float64, 50, elements=st.floats(-1000, 1000)))
def test_cosine_and_sine(degrees):
    cosine, sine = cosine_and_sine(degrees)
    np.testing.assert_allclose(cosine, np.cos(np.deg2rad(degrees)), atol=1e-13)
    np.testing.assert_allclose(sine, np.sin(np.deg2rad(degrees)), atol=1e-13)


COORDINATE = st.floats(-500, 500)
SIDE = st.floats(0.01, 300)


@settings(max_examples=200)
@given(COORDINATE, COORDINATE, SIDE, SIDE, st.floats(-179.99, 179.99))
def test_a_box_is_the_smallest_round_its_own_corners(x, y, width, height, angle):
    box = np.array([[x, y, width, height, angle]])
    found = smallest_boxes(corners(box))
    np.testing.assert_allclose(found[:, :4], box[:, :4], atol=1e-9)
    turn = (found[0, 4] - angle + 180) % 360 - 180
    assert abs(turn) < 1e-6


QUADRILATERAL = arrays(np.float64, (1, 4, 2), elements=st.integers(-40, 40).map(float))


@settings(max_examples=300)
@given(QUADRILATERAL)
def test_a_smallest_box_encloses_and_no_turn_makes_it_smaller(quadrilateral):
    [box] = smallest_boxes(quadrilateral)
    area = box[2] * box[3]
    along = np.deg2rad(np.linspace(0, 90, 181))
    axes = np.stack([np.cos(along), np.sin(along)], axis=1)
    others = np.stack([-axes[:, 1], axes[:, 0]], axis=1)
    points = quadrilateral[0]
    extents = [np.ptp(points @ axis.T, axis=0) for axis in (axes, others)]
    assert area <= (extents[0] * extents[1]).min() + 1e-6

    angle = np.deg2rad(box[4])
    local = points - box[:2]
    width_axis, height_axis = (
        np.array([np.cos(angle), -np.sin(angle)]),
        np.array([np.sin(angle), np.cos(angle)]),
    )
    assert np.abs(local @ width_axis).max() <= box[2] / 2 + 1e-9
    assert np.abs(local @ height_axis).max() <= box[3] / 2 + 1e-9


def test_points_and_lines():
    point = np.full((4, 2), 3.0)
    line = np.array([[0.0, 0], [3, 4], [0, 0], [3, 4]])
    found = smallest_boxes(np.stack([point, line]))
    assert found[0].tolist() == [3, 3, 0, 0, 0]
    np.testing.assert_allclose(found[1, :4], [1.5, 2, 5, 0], atol=1e-12)


def test_nothing():
    assert smallest_boxes(np.zeros((0, 4, 2))).shape == (0, 5)
    assert corners(np.zeros((0, 5))).shape == (0, 4, 2)
