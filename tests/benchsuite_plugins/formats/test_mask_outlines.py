"""Outlines of masks, rasterised again."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as pycocotools_mask

from benchsuite_plugins.formats.mask_outlines import outline


def rasterised(points, shape):
    height, width = shape
    [encoded] = pycocotools_mask.frPyObjects([points.ravel().astype(float).tolist()], height, width)
    return pycocotools_mask.decode(encoded).astype(bool)


def test_a_rectangle_has_four_corners():
    mask = np.zeros((6, 8), bool)
    mask[1:4, 2:7] = True
    assert sorted(outline(mask).tolist()) == [[2, 1], [2, 4], [7, 1], [7, 4]]


def test_an_empty_mask_has_none():
    assert outline(np.zeros((3, 4), bool)).shape == (0, 2)


def test_parts_holes_and_touching_corners():
    mask = np.zeros((9, 12), bool)
    mask[1:8, 1:6] = True
    mask[3:5, 2:4] = False
    mask[6, 3] = False
    mask[0, 6] = mask[8, 6] = mask[4, 9] = True
    assert np.array_equal(rasterised(outline(mask), mask.shape), mask)


@settings(max_examples=300, deadline=None)
@given(array_shapes(min_dims=2, max_dims=2, max_side=12).flatmap(lambda s: arrays(bool, s)))
def test_the_outline_is_the_mask(mask):
    points = outline(mask)
    assert bool(len(points)) == bool(mask.any())
    if len(points):
        assert np.array_equal(rasterised(points, mask.shape), mask)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_larger_masks(height, width, seed):
    generator = np.random.default_rng(seed)
    coarse = generator.random((-(-height // 5), -(-width // 5))) < 0.5
    mask = np.kron(coarse, np.ones((5, 5), bool))[:height, :width].astype(bool)
    mask ^= generator.random(mask.shape) < 0.02
    if mask.any():
        assert np.array_equal(rasterised(outline(mask), mask.shape), mask)
