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

from benchsuite_kernels.columns.detection_match import (
    BoxOverlaps,
    Detections,
    Matches,
    Overlaps,
    Truths,
    match_detections,
)

Annotation = dict[str, Any]
SIDE = 24
THRESHOLDS = np.linspace(0.5, 0.95, 10)
RANGES = np.array([[0, 1e10], [0, 16], [16, 64], [64, 1e10]])

thorough = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


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
