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
    max_examples=settings.default.max_examples,
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
@settings(parent=thorough, max_examples=settings.default.max_examples // 3)
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
