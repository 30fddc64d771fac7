"""By hand, and against the rule written down pixel by pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from benchsuite.records import RLE, PanopticMap, Prediction
from benchsuite_plugins.models.panoptic_merge import PanopticOptions, merge_panoptic

Mask = NDArray[np.uint8]


def instances(masks: list[Mask], scores: list[float], labels: list[int]) -> Prediction:
    encoded = [coco_mask.encode(np.asfortranarray(mask)) for mask in masks]
    return Prediction(
        np.zeros((len(masks), 4)),
        scores,
        labels,
        masks=[RLE(tuple(each["size"]), each["counts"]) for each in encoded],
    )


def block(rows: slice, columns: slice, shape: tuple[int, int] = (10, 10)) -> Mask:
    mask = np.zeros(shape, np.uint8)
    mask[rows, columns] = 1
    return mask


SMALL = PanopticOptions(stuff_area_limit=4)
NO_STUFF = np.zeros((10, 10), np.uint8)


def listed(panoptic: PanopticMap) -> list[tuple[int, int, bool]]:
    return [(segment.id, segment.label, segment.isthing) for segment in panoptic.segments]


def test_better_instances_lie_on_top() -> None:
    below, above = block(np.s_[0:6], np.s_[0:6]), block(np.s_[4:10], np.s_[4:10])
    found = merge_panoptic(instances([below, above], [0.6, 0.75], [3, 7]), NO_STUFF, (), SMALL)
    assert listed(found) == [(1, 7, True), (2, 3, True)]
    assert [segment.score for segment in found.segments] == [0.75, np.float32(0.6)]
    assert found.ids[5, 5] == 1 and found.ids[3, 3] == 2 and found.ids[0, 9] == 0
    assert found.ids.dtype == np.int32


def test_an_instance_covered_for_more_than_the_threshold_goes() -> None:
    best = block(np.s_[0:5], np.s_[0:10])
    half = block(np.s_[4:6], np.s_[0:10])
    more = block(np.s_[2:6], np.s_[0:10])
    behind = block(np.s_[5:7], np.s_[0:10])
    found = merge_panoptic(
        instances([best, more, half, behind], [0.9, 0.8, 0.7, 0.6], [0, 1, 2, 3]),
        NO_STUFF,
        (),
        SMALL,
    )
    # What was refused covers nothing: exactly half of `half` and of `behind` is taken.
    assert listed(found) == [(1, 0, True), (2, 2, True), (3, 3, True)]
    assert (found.ids[5] == 2).all() and (found.ids[6] == 3).all()


def test_an_instance_needs_the_score_and_a_pixel() -> None:
    something, nothing = block(np.s_[0:3], np.s_[0:3]), block(np.s_[0:0], np.s_[0:0])
    found = merge_panoptic(
        instances([something, nothing, something], [0.49, 0.9, 0.5], [1, 2, 3]), NO_STUFF, (), SMALL
    )
    assert listed(found) == [(1, 3, True)]


def test_stuff_fills_what_is_left_where_that_is_enough() -> None:
    semantic = np.zeros((10, 10), np.uint8)
    semantic[0:2], semantic[2:4, 0:2], semantic[4:6, 0:2], semantic[9, 0] = 2, 1, 3, 4
    thing = block(np.s_[4:5], np.s_[0:1])
    found = merge_panoptic(instances([thing], [0.9], [0]), semantic, (5, 6, 7, 8), SMALL)
    # Class 3 had four pixels, one of which the thing has; class 0, all things, is never stuff.
    assert listed(found) == [(1, 0, True), (2, 5, False), (3, 6, False)]
    assert (found.ids[0:2] == 3).all() and (found.ids[2:4, 0:2] == 2).all()
    assert found.ids[4, 0] == 1 and found.ids[4, 1] == 0 and found.ids[9, 0] == 0


def test_nothing_at_all_is_void() -> None:
    found = merge_panoptic(instances([], [], []), NO_STUFF, (1, 2), PanopticOptions())
    assert found.segments == () and not found.ids.any() and found.ids.shape == (10, 10)
    free = PanopticOptions(stuff_area_limit=0)
    assert merge_panoptic(instances([], [], []), NO_STUFF, (1, 2), free).segments == ()


def pixel_by_pixel(
    masks: list[Mask], scores: list[float], semantic: Mask, options: PanopticOptions
) -> NDArray[np.int32]:
    ids, number = np.zeros(semantic.shape, np.int32), 0
    for row in sorted(range(len(masks)), key=lambda row: -scores[row]):
        pixels = list(zip(*np.nonzero(masks[row]), strict=True))
        taken = [pixel for pixel in pixels if ids[pixel]]
        if scores[row] < options.instances_confidence_thresh or not pixels:
            continue
        if len(taken) / len(pixels) > options.overlap_thresh:
            continue
        number += 1
        for pixel in pixels:
            ids[pixel] = ids[pixel] or number
    for label in np.unique(semantic).tolist():
        pixels = list(zip(*np.nonzero((semantic == label) & (ids == 0)), strict=True))
        if label == 0 or len(pixels) < options.stuff_area_limit:
            continue
        number += 1
        for pixel in pixels:
            ids[pixel] = number
    return ids


def test_random_scenes_follow_the_rule() -> None:
    random = np.random.default_rng(5)
    options = PanopticOptions(stuff_area_limit=40)
    refused = 0
    for _ in range(30):
        masks, corners = [], random.integers(0, 20, (12, 4))
        for a, b, c, d in corners.tolist():
            rows, columns = np.s_[min(a, b) : max(a, b)], np.s_[min(c, d) : max(c, d)]
            masks.append(block(rows, columns, (17, 23)) & random.integers(0, 2, (17, 23), np.uint8))
        scores = random.permutation(np.linspace(0.3, 1, 12, dtype=np.float32)).tolist()
        semantic = np.kron(random.integers(0, 5, (6, 6), np.uint8), np.ones((3, 4), np.uint8))
        semantic = semantic[:17, :23]
        found = merge_panoptic(instances(masks, scores, [0] * 12), semantic, (1, 2, 3, 4), options)
        np.testing.assert_array_equal(found.ids, pixel_by_pixel(masks, scores, semantic, options))
        things = sum(segment.isthing for segment in found.segments)
        refused += sum(score >= 0.5 for score in scores) - things
    assert refused > 10
