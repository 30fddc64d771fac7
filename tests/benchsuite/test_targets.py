"""Targets convert what they are given, and name what they cannot take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchsuite import Target
from benchsuite.errors import ContractError
from benchsuite.records import RLE

BOX = [[1, 2, 3, 4]]


def test_an_image_without_instances() -> None:
    target = Target(masks=[], keypoints=np.zeros((0, 17, 3)))
    assert len(target) == 0
    assert target.boxes.shape == (0, 4) and target.boxes.dtype == np.float32
    assert target.labels.shape == (0,) and target.labels.dtype == np.int64
    assert target.masks == ()
    assert target.keypoints.shape == (0, 17, 3)


def test_proposals_are_boxes_of_any_number() -> None:
    assert Target(BOX, [0]).proposals is None
    target = Target(BOX, [0], proposals=[[0, 0, 2, 2], [1, 1, 5, 5]])
    assert target.proposals.dtype == np.float32 and target.proposals.shape == (2, 4)
    assert Target(proposals=[]).proposals.shape == (0, 4)
    with pytest.raises(ContractError, match="proposals"):
        Target(proposals=[[0, 0, 2]])


def test_masks_may_differ_in_kind() -> None:
    flat, bitmap, runs = [0, 0, 4, 0, 4, 4], np.eye(5, dtype=bool), RLE((5, 5), b"i0")
    target = Target(BOX * 3, [0, 1, 2], masks=[[flat, flat], bitmap, runs])
    polygons, kept_bitmap, kept_runs = target.masks
    assert len(polygons) == 2
    np.testing.assert_array_equal(polygons[1], [[0, 0], [4, 0], [4, 4]])
    assert polygons[0].dtype == np.float64
    np.testing.assert_array_equal(kept_bitmap, bitmap)
    assert kept_runs is runs


def test_a_stack_of_bitmaps_is_one_mask_an_instance() -> None:
    target = Target(BOX * 2, [0, 0], masks=np.zeros((2, 3, 4), bool))
    assert [mask.shape for mask in target.masks] == [(3, 4), (3, 4)]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"boxes": [[1, 2, 3]], "labels": [0]}, r"boxes has shape \(1, 3\)"),
        ({"boxes": BOX, "labels": [0, 1]}, r"labels has shape \(2,\)"),
        ({"boxes": [[0, 0, np.nan, 1]], "labels": [0]}, "boxes holds a NaN"),
        ({"boxes": BOX, "labels": [0], "masks": []}, "0 masks for 1 boxes"),
        ({"boxes": BOX, "labels": [0], "masks": [[[1, 2, 3]]]}, r"masks\[0\]\[0\] has 3 numbers"),
        ({"boxes": BOX, "labels": [0], "masks": [[[1, 2, 3, 4]]]}, "2 points, fewer than 3"),
        ({"boxes": BOX, "labels": [0], "keypoints": np.zeros((1, 17, 2))}, "keypoints has shape"),
        ({"semantic": np.zeros(4)}, "semantic has shape"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_what_does_not_fit_is_named(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ContractError, match=says):
        Target(**fields)


def test_what_does_not_count_in_a_semantic_map() -> None:
    stored = np.array([[0, 255]], np.uint8)
    assert Target(semantic=stored).semantic.tolist() == [[0, -1]]
    assert stored.tolist() == [[0, 255]]
    assert Target(semantic=[[255, -1]]).semantic.tolist() == [[255, -1]]
