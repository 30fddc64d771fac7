"""Matching, both implementations: of many rows, by hand, and of arrays that do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchsuite_kernels.columns import detection_match, detection_match_reference, rle
from benchsuite_kernels.columns.detection_match import (
    BoxOverlaps,
    Detections,
    GivenOverlaps,
    MaskOverlaps,
    Masks,
    Matches,
    Overlaps,
    Truths,
    match_detections,
)
from benchsuite_kernels.dispatch import native

SIDE = 24
THRESHOLDS = np.linspace(0.5, 0.95, 10)
RANGES = np.array([[0, 1e10], [0, 16], [16, 64], [64, 1e10]])


@pytest.fixture(params=["reference", "c++"], autouse=True)
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    extension = native()
    if request.param == "c++" and extension is None:
        pytest.skip("the extension is not built")
    monkeypatch.setattr(
        detection_match, "native", lambda: extension if request.param == "c++" else None
    )
    return request.param


def matched(
    sides: tuple[Detections, Truths],
    overlaps: Overlaps,
    thresholds: np.ndarray = THRESHOLDS,
    ranges: np.ndarray = RANGES,
    most: int = 100,
    threads: int = 3,
) -> Matches:
    return match_detections(
        *sides,
        overlaps,
        iou_thresholds=thresholds,
        area_ranges=ranges,
        most_detections=most,
        threads=threads,
        which=True,
    )


def column(counts: list[bytes], size: tuple[int, int] = (SIDE, SIDE)) -> Masks:
    offsets = np.cumsum([0, *map(len, counts)]).astype(np.int64)
    sizes = np.full((len(counts), 2), size, np.int32)
    return Masks(np.frombuffer(b"".join(counts), np.uint8), offsets, sizes)


def random_boxes(random: np.random.Generator, count: int) -> np.ndarray:
    return np.concatenate(
        [random.random((count, 2)) * 9, 9 + random.random((count, 2)) * 9], axis=1
    )


def random_sides(
    random: np.random.Generator, detections: int, truths: int, groups: np.ndarray
) -> tuple[Detections, Truths]:
    return (
        Detections(
            groups=random.choice(groups, detections),
            scores=random.integers(0, 50, detections) / 50,
            areas=random.random(detections) * 100,
            ignored_if_unmatched=random.random(detections) < 0.1,
        ),
        Truths(
            groups=random.choice(groups, truths),
            areas=random.random(truths) * 100,
            ignored=random.random(truths) < 0.2,
            crowd=random.random(truths) < 0.1,
            loses_match=random.random(truths) < 0.1,
        ),
    )


LIMITS = np.iinfo(np.int64)


@pytest.mark.parametrize("most", [3, 100])
@pytest.mark.parametrize(
    "groups",
    [
        np.arange(2000),
        np.arange(3),
        np.array([LIMITS.min, LIMITS.min + 1, -5, 0, 7, LIMITS.max - 1, LIMITS.max]),
        np.arange(500) * 36028797018963968 - 2**62,
    ],
    ids=["many", "few", "extreme", "sparse"],
)
def test_both_implementations_agree_on_many_rows(groups: np.ndarray, most: int) -> None:
    random = np.random.default_rng(len(groups))
    sides = random_sides(random, 3000, 700, groups)
    overlaps = BoxOverlaps(random_boxes(random, 3000), random_boxes(random, 700))
    got = [matched(sides, overlaps, most=most, threads=threads) for threads in (1, 4)]
    want = detection_match_reference.match_detections(
        *sides, overlaps, THRESHOLDS, RANGES, most, True
    )
    for each in got:
        assert_equal(each, want)
    assert want.matched.any() and want.truth_matched.any()


def test_both_implementations_agree_on_few_truths_among_many_groups() -> None:
    random = np.random.default_rng(1)
    groups = np.unique(random.integers(0, 2**40, 30_000))
    overlaps = BoxOverlaps(random_boxes(random, 40_000), random_boxes(random, 400))
    for spread in (groups, np.arange(30_000)):
        sides = random_sides(random, 40_000, 400, spread)
        want = detection_match_reference.match_detections(
            *sides, overlaps, THRESHOLDS, RANGES, 100, True
        )
        assert_equal(matched(sides, overlaps), want)
        assert want.truth_matched.any()


def assert_equal(got: Matches, want: Matches) -> None:
    for name in Matches._fields:
        array, expected = getattr(got, name), getattr(want, name)
        assert array.dtype == expected.dtype, name
        np.testing.assert_array_equal(array, expected, err_msg=name)


@pytest.mark.parametrize(
    ("count", "dtype"),
    [
        (1, np.uint8),
        (8, np.uint8),
        (9, np.uint16),
        (17, np.uint32),
        (33, np.uint64),
        (64, np.uint64),
    ],
)
def test_bits_are_as_wide_as_the_thresholds_are_many(count: int, dtype: type[np.generic]) -> None:
    box = np.array([[0.0, 0.0, 1.0, 1.0]])
    nothing, one = np.zeros(1, np.bool_), np.ones(1)
    sides = (
        Detections(np.zeros(1, np.int64), one, one),
        Truths(np.zeros(1, np.int64), one, nothing, nothing),
    )
    found = matched(sides, BoxOverlaps(box, box), np.linspace(0, 1, count))
    every = (1 << count) - 1
    assert found.matched.dtype == found.truth_ignored.dtype == dtype
    assert found.matched[0, 0] == found.truth_matched[0, 0] == every
    assert found.truth_ignored.ravel().tolist() == [0, 0, every, every]


def test_a_detection_of_a_category_not_looked_for_is_ignored_unless_it_matches() -> None:
    boxes = np.array([[0.0, 0, 4, 4], [9.0, 9, 4, 4]])
    areas = np.full(2, 16.0)
    detections = Detections(
        np.zeros(2, np.int64), np.ones(2), areas, ignored_if_unmatched=np.ones(2, np.bool_)
    )
    nothing = np.zeros(1, np.bool_)
    truths = Truths(np.zeros(1, np.int64), areas[:1], nothing, nothing)
    found = matched((detections, truths), BoxOverlaps(boxes, boxes[:1]), np.array([0.5]))
    assert found.matched[0].tolist() == [1, 0]
    assert found.ignored[0].tolist() == [0, 1]


def test_nothing_on_either_side() -> None:
    random = np.random.default_rng(0)
    for detections, truths in ((0, 0), (5, 0), (0, 5)):
        sides = random_sides(random, detections, truths, np.arange(2))
        found = matched(sides, BoxOverlaps(np.zeros((detections, 4)), np.zeros((truths, 4))))
        assert found.matched.shape == (4, detections)
        assert found.truth_ignored.shape == (4, truths)
        assert not found.matched.any() and not found.truth_matched.any()


def one_of_each(**changes: Any) -> tuple[Detections, Truths]:
    nothing, one = np.zeros(1, np.bool_), np.ones(1)
    groups = np.zeros(1, np.int64)
    return (
        Detections(**{"groups": groups, "scores": one, "areas": one, **changes}),
        Truths(groups, one, nothing, nothing),
    )


def test_a_malformed_mask_is_an_error_that_names_its_row() -> None:
    good = rle.encode(np.ones((SIDE, SIDE), np.bool_))
    with pytest.raises(ValueError, match="mask of detection 0: the RLE ends within a run"):
        matched(one_of_each(), MaskOverlaps(column([good[:-1]]), column([good])))
    with pytest.raises(ValueError, match="mask of truth 0: the runs of the RLE cover"):
        matched(one_of_each(), MaskOverlaps(column([good]), column([good], (3, 3))))


def test_masks_of_images_of_two_sizes_do_not_match() -> None:
    wide, tall = (np.ones(size, np.bool_) for size in ((2, 4), (4, 2)))
    overlaps = MaskOverlaps(
        column([rle.encode(wide)], wide.shape), column([rle.encode(tall)], tall.shape)
    )
    found = matched(one_of_each(), overlaps, np.array([0.0, -1.0]))
    assert found.matched[0].tolist() == [2]


def test_a_pair_of_two_groups_is_an_error() -> None:
    sides = one_of_each()
    strange = Truths(np.array([0, 1]), *(np.ones(2), np.zeros(2, np.bool_), np.zeros(2, np.bool_)))
    overlaps = GivenOverlaps(np.array([0, 1]), np.array([1]), np.array([1.0]))
    with pytest.raises(ValueError, match="detection 0 is paired with a truth of another group"):
        matched((sides[0], strange), overlaps)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: one_of_each(scores=np.ones(2)), "scores is not a float64 array of shape"),
        (lambda: one_of_each(scores=np.ones(1, np.float32)), "scores is not a float64 array"),
        (lambda: one_of_each(areas=np.ones(2)[::2]), None),
        (
            lambda: matched(one_of_each(), BoxOverlaps(np.zeros((2, 4)), np.zeros((1, 4)))),
            "overlaps are of 2 detections, not 1",
        ),
        (
            lambda: matched(one_of_each(), BoxOverlaps(np.zeros((1, 4)), np.zeros((2, 4)))),
            "overlaps are of 2 truths, not 1",
        ),
        (lambda: BoxOverlaps(np.zeros((4, 2)), np.zeros((1, 4))), "float64 array of shape"),
        (lambda: BoxOverlaps(np.zeros((4, 4)).T[:, ::-1], np.zeros((1, 4))), "not contiguous"),
        (
            lambda: matched(one_of_each(), BoxOverlaps(*np.zeros((2, 1, 4))), np.zeros(65)),
            "65 IoU thresholds, not 1 to 64",
        ),
        (
            lambda: matched(one_of_each(), BoxOverlaps(*np.zeros((2, 1, 4))), np.array([np.nan])),
            "is not a number",
        ),
        (
            lambda: matched(one_of_each(), BoxOverlaps(*np.zeros((2, 1, 4))), most=-1),
            "-1 detections of a group cannot count",
        ),
        (
            lambda: Masks(np.zeros(3, np.uint8), np.array([0, 4]), np.ones((1, 2), np.int32)),
            "offsets do not ascend from 0 to 3 at most",
        ),
        (
            lambda: GivenOverlaps(np.array([0, 2]), np.array([1, 1]), np.zeros(2)),
            "pair 1: the truths of a detection do not ascend",
        ),
        (
            lambda: matched(
                one_of_each(), GivenOverlaps(np.array([0, 1]), np.array([1]), np.zeros(1))
            ),
            "no row of 0 to 0",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_errors(make: Any, message: str | None) -> None:
    if message is None:
        make()  # one element is contiguous whatever its stride
        return
    with pytest.raises(ValueError, match=message):
        make()
