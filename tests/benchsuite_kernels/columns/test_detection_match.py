"""Matching, both implementations, against pycocotools' ``COCOeval``."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchsuite_kernels.columns import detection_match, rle, rle_reference
from benchsuite_kernels.columns.detection_match import (
    BoxOverlaps,
    Detections,
    GivenOverlaps,
    KeypointOverlaps,
    MaskOverlaps,
    Masks,
    Matches,
    Overlaps,
    Truths,
    match_detections,
    overlap_pairs,
)
from benchsuite_kernels.dispatch import native

Annotation = dict[str, Any]
SIDE = 24
THRESHOLDS = np.linspace(0.5, 0.95, 10)
RANGES = np.array([[0, 1e10], [0, 16], [16, 64], [64, 1e10]])

thorough = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(params=["reference", "c++"], autouse=True)
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    extension = native()
    if request.param == "c++" and extension is None:
        pytest.skip("the extension is not built")
    monkeypatch.setattr(
        detection_match, "native", lambda: extension if request.param == "c++" else None
    )
    return request.param


# --- the same, by pycocotools -----------------------------------------------------------------


def official(
    truths: list[Annotation],
    detections: list[Annotation],
    task: str,
    thresholds: np.ndarray = THRESHOLDS,
    ranges: np.ndarray = RANGES,
    most: int = 100,
    sigmas: np.ndarray | None = None,
) -> COCOeval:
    """An evaluation whose ``evaluate`` has run; images and categories are those of the truths."""
    images = sorted({each["image_id"] for each in [*truths, *detections]})
    categories = sorted({each["category_id"] for each in [*truths, *detections]})
    dataset = {
        "images": [{"id": image, "height": SIDE, "width": SIDE} for image in images],
        "categories": [{"id": category} for category in categories],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        sides = []
        for annotations in (truths, detections):
            side = COCO()
            side.dataset = {**dataset, "annotations": [dict(each) for each in annotations]}
            side.createIndex()
            sides.append(side)
        evaluation = COCOeval(*sides, task)
        evaluation.params.iouThrs = thresholds
        evaluation.params.areaRng = ranges.tolist()
        evaluation.params.maxDets = [most]
        if sigmas is not None:
            evaluation.params.kpt_oks_sigmas = sigmas
        with np.errstate(all="ignore"):
            evaluation.evaluate()
    return evaluation


def assert_as_official(matches: Matches, evaluation: COCOeval, most: int = 100) -> None:
    """Every bit of every area range, detection and truth, and the order of detections."""
    parameters = evaluation.params
    areas = len(parameters.areaRng)
    truth_rows = {id_: row for row, id_ in enumerate(evaluation.cocoGt.anns)}
    detection_rows = {id_: row for row, id_ in enumerate(evaluation.cocoDt.anns)}
    per_area = len(parameters.imgIds)
    order = []
    for place, found in enumerate(evaluation.evalImgs):
        if found is None:
            continue
        area = place // per_area % areas
        dets = [detection_rows[id_] for id_ in found["dtIds"]]
        if area == 0:
            order += dets
        places = [int(np.flatnonzero(matches.order == row)[0]) for row in dets]
        truths = [truth_rows[id_] for id_ in found["gtIds"]]
        for t in range(len(parameters.iouThrs)):
            for got, want, rows in (
                (matches.matched, found["dtMatches"][t] != 0, places),
                (matches.ignored, found["dtIgnore"][t] != 0, places),
                (matches.truth_matched, found["gtMatches"][t] != 0, truths),
                (matches.truth_ignored, found["gtIgnore"] != 0, truths),
            ):
                bits = got[area, rows] >> np.uint64(t).astype(got.dtype) & 1
                np.testing.assert_array_equal(bits.astype(bool), want)
            assert matches.takes is not None
            takes = matches.takes[area, t, places]
            matching = found["dtMatches"][t] != 0
            named = [truth_rows[id_] for id_ in found["dtMatches"][t][matching]]
            assert takes[matching].tolist() == named
            # Nor does it take one otherwise, but for a truth with id 0.
            assert set(takes[~matching].tolist()) <= {-1, truth_rows.get(0, -1)}
    assert matches.order.tolist() == order


def arrays(
    truths: list[Annotation], detections: list[Annotation], *, keypoints: bool = False
) -> tuple[Detections, Truths]:
    """Both sides; groups by category, then image, as pycocotools goes through them."""

    def groups(annotations: list[Annotation]) -> np.ndarray:
        pairs = [(each["category_id"], each["image_id"]) for each in annotations]
        return np.array([c * 1000 + i for c, i in pairs], np.int64)

    crowd = np.array([bool(each["iscrowd"]) for each in truths], np.bool_)
    unseen = np.array([each.get("num_keypoints") == 0 for each in truths], np.bool_)
    return (
        Detections(
            groups=groups(detections),
            scores=np.array([each["score"] for each in detections], np.float64),
            areas=np.array([each["area"] for each in detections], np.float64),
        ),
        Truths(
            groups=groups(truths),
            areas=np.array([each["area"] for each in truths], np.float64),
            ignored=crowd | unseen if keypoints else crowd,
            crowd=crowd,
            loses_match=np.array([each["id"] == 0 for each in truths], np.bool_),
        ),
    )


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


# --- generated cases --------------------------------------------------------------------------

scores = st.sampled_from([0.0, -0.0, 0.25, 0.5, 0.75, 1.0, float("nan"), float("inf"), -1.0])
box_numbers = st.one_of(
    st.sampled_from([0.0, 1.0, 2.0, 4.0, 8.0]),
    st.floats(-2, 12),
    st.sampled_from([float("nan"), float("inf"), 1e-200, 1e200, -3.0]),
)
plain_numbers = st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0])
thresholds = st.one_of(
    st.just(THRESHOLDS),
    st.lists(
        st.sampled_from([0.0, 0.1, 1 / 3, 0.5, 0.6, 1.0, 2.0, -1.0]), min_size=1, max_size=12
    ).map(np.array),
)


@st.composite
def sides_of(
    draw: st.DrawFn, shapes: st.SearchStrategy[Annotation], most: int = 8
) -> tuple[list[Annotation], list[Annotation]]:
    def side(strategy: st.SearchStrategy[Annotation], first_id: int) -> list[Annotation]:
        annotations = draw(st.lists(strategy, max_size=most))
        return [{**each, "id": first_id + row} for row, each in enumerate(annotations)]

    places = {
        "image_id": st.integers(1, 2),
        "category_id": st.integers(1, 2),
        "area": st.one_of(st.sampled_from([0.0, 16.0, 64.0, 1e10]), st.floats(0, 100)),
    }
    truth = st.fixed_dictionaries({**places, "iscrowd": st.sampled_from([0, 0, 1])})
    detection = st.fixed_dictionaries({**places, "score": scores, "iscrowd": st.just(0)})

    def joined(own: st.SearchStrategy[Annotation]) -> st.SearchStrategy[Annotation]:
        return st.tuples(own, shapes).map(lambda pair: {**pair[0], **pair[1]})

    return side(joined(truth), draw(st.integers(0, 1))), side(joined(detection), 1)


def boxes(annotations: list[Annotation]) -> np.ndarray:
    return np.array([each["bbox"] for each in annotations], np.float64).reshape(-1, 4)


@pytest.mark.parametrize("numbers", [plain_numbers, box_numbers], ids=["plain", "odd"])
@thorough
@given(data=st.data(), thresholds=thresholds, most=st.sampled_from([0, 1, 3, 100]))
def test_boxes_are_matched_as_pycocotools_does(
    numbers: st.SearchStrategy[float], data: st.DataObject, thresholds: np.ndarray, most: int
) -> None:
    shapes = st.fixed_dictionaries({"bbox": st.lists(numbers, min_size=4, max_size=4)})
    truths, detections = data.draw(sides_of(shapes))
    evaluation = official(truths, detections, "bbox", thresholds, most=most)
    overlaps = BoxOverlaps(boxes(detections), boxes(truths))
    assert_as_official(
        matched(arrays(truths, detections), overlaps, thresholds, most=most), evaluation
    )


def column(counts: list[bytes], size: tuple[int, int] = (SIDE, SIDE)) -> Masks:
    offsets = np.cumsum([0, *map(len, counts)]).astype(np.int64)
    sizes = np.full((len(counts), 2), size, np.int32)
    return Masks(np.frombuffer(b"".join(counts), np.uint8), offsets, sizes)


def masks(annotations: list[Annotation]) -> Masks:
    return column([each["segmentation"]["counts"] for each in annotations])


@st.composite
def blobs(draw: st.DrawFn) -> Annotation:
    """A few rectangles, so that masks overlap, touch, reach edges and are empty at times."""
    mask = np.zeros((SIDE, SIDE), np.bool_)
    places = st.integers(0, SIDE)
    for _ in range(draw(st.integers(0, 3))):
        x, y = draw(places), draw(places)
        mask[y : y + draw(st.integers(0, SIDE)), x : x + draw(st.integers(0, 12))] = True
    return {"segmentation": {"size": [SIDE, SIDE], "counts": rle.encode(mask)}}


@st.composite
def runs(draw: st.DrawFn) -> Annotation:
    """Any runs that cover the image, empty ones among them."""
    cuts = sorted(draw(st.lists(st.integers(0, SIDE * SIDE // 48), max_size=12)))
    bounds = np.array([0, *(48 * cut for cut in cuts), SIDE * SIDE])
    counts = rle_reference.compress(np.diff(bounds))
    return {"segmentation": {"size": [SIDE, SIDE], "counts": counts}}


@pytest.mark.parametrize("shapes", [blobs(), runs()], ids=["blobs", "runs"])
@thorough
@given(data=st.data(), thresholds=thresholds)
def test_masks_are_matched_as_pycocotools_does(
    shapes: st.SearchStrategy[Annotation], data: st.DataObject, thresholds: np.ndarray
) -> None:
    truths, detections = data.draw(sides_of(shapes))
    evaluation = official(truths, detections, "segm", thresholds)
    overlaps = MaskOverlaps(masks(detections), masks(truths))
    assert_as_official(matched(arrays(truths, detections), overlaps, thresholds), evaluation)


def keypoint_overlaps(
    truths: list[Annotation], detections: list[Annotation], sigmas: np.ndarray
) -> KeypointOverlaps:
    def points(annotations: list[Annotation]) -> np.ndarray:
        rows = [each["keypoints"] for each in annotations]
        return np.array(rows, np.float64).reshape(-1, 3 * len(sigmas))

    areas = np.array([each["area"] for each in truths], np.float64)
    return KeypointOverlaps(points(detections), points(truths), boxes(truths), areas, sigmas)


@pytest.mark.parametrize("count", [1, 3, 8, 17, 133])
@settings(parent=thorough, max_examples=25)
@given(data=st.data(), thresholds=thresholds)
def test_keypoints_are_matched_as_pycocotools_does(
    count: int, data: st.DataObject, thresholds: np.ndarray
) -> None:
    seeds = st.integers(0, 2**32)
    odd = data.draw(st.sampled_from([0.0, float("nan"), float("inf")]))

    def shape(seed: int) -> Annotation:
        random = np.random.default_rng(seed)
        keypoints = random.integers(0, 24, (count, 3)).astype(np.float64)
        keypoints[:, :2] += random.choice([0, 0.5, random.random()])
        keypoints[:, 2] = random.integers(0, 3, count) * random.integers(0, 2)
        if random.random() < 0.2:
            keypoints[random.integers(count), random.integers(2)] = odd
        return {
            "keypoints": keypoints.ravel().tolist(),
            "num_keypoints": int((keypoints[:, 2] > 0).sum()),
            "bbox": random.integers(0, 12, 4).astype(float).tolist(),
        }

    sigmas = np.random.default_rng(data.draw(seeds)).choice([0.3, 0.7, 2.0, 0.0], count)
    truths, detections = data.draw(sides_of(st.integers(0, 40).map(shape)))
    evaluation = official(truths, detections, "keypoints", thresholds, sigmas=sigmas)
    overlaps = keypoint_overlaps(truths, detections, sigmas)
    sides = arrays(truths, detections, keypoints=True)
    assert_as_official(matched(sides, overlaps, thresholds), evaluation)


@thorough
@given(data=st.data(), thresholds=thresholds)
def test_given_overlaps_stand_for_any_other(data: st.DataObject, thresholds: np.ndarray) -> None:
    shapes = st.fixed_dictionaries({"bbox": st.lists(plain_numbers, min_size=4, max_size=4)})
    truths, detections = data.draw(sides_of(shapes))
    sides = arrays(truths, detections)
    starts, pair_truths = overlap_pairs(sides[0].groups, sides[1].groups)
    rows = np.repeat(np.arange(len(detections)), np.diff(starts))
    values = np.zeros(len(rows))
    evaluation = official(truths, detections, "bbox", thresholds)
    for pair, (row, truth) in enumerate(zip(rows, pair_truths)):
        group = (truths[truth]["image_id"], truths[truth]["category_id"])
        places = np.argsort([-each["score"] for each in evaluation._dts[group]], kind="stable")
        ids = [evaluation._dts[group][place]["id"] for place in places]
        column = [each["id"] for each in evaluation._gts[group]].index(truths[truth]["id"])
        values[pair] = evaluation.ious[group][ids.index(detections[row]["id"]), column]
    overlaps = GivenOverlaps(starts, pair_truths, values)
    assert_as_official(matched(sides, overlaps, thresholds), evaluation)
    # Pairs that do not overlap need not be there.
    there = values > 0
    starts = np.searchsorted(rows[there], np.arange(len(detections) + 1)).astype(np.int64)
    overlaps = GivenOverlaps(starts, pair_truths[there], values[there])
    assert_as_official(matched(sides, overlaps, thresholds), evaluation)


# --- what pycocotools has no case of ----------------------------------------------------------


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
    want = detection_match.detection_match_reference.match_detections(
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
        want = detection_match.detection_match_reference.match_detections(
            *sides, overlaps, THRESHOLDS, RANGES, 100, True
        )
        assert_equal(matched(sides, overlaps), want)
        assert want.truth_matched.any()


def assert_equal(got: Matches, want: Matches) -> None:
    for name in Matches.__slots__:
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
