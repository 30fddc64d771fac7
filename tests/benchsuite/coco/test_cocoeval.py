"""The drop-in ``COCOeval`` against pycocotools', to the bit."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pycocotools.coco
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import cocoeval as official
from pycocotools import mask as pycocotools_mask

from benchsuite.coco import COCO, COCOeval, Params
from benchsuite.errors import InputError, UsageError

Check = Callable[..., None]
quick = settings(
    max_examples=settings.default.max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

SIDE = 120
IMAGE_IDS = (0, 3, 2**40)
CATEGORY_IDS = (1, 2, 7)


def loaded(path: Path) -> Any:
    return json.loads(path.read_text())


# --- real data --------------------------------------------------------------------------------

REAL = {
    "bbox": ("coco_val2014_100/instances_val2014_100", "fakebbox100", "bbox"),
    "segm": ("coco_val2014_100/instances_val2014_100", "fakesegm100", "segm"),
    "boxes of masks": ("coco_val2014_100/instances_val2014_100", "fakesegm100", "bbox"),
    "boxes as masks": ("coco_val2014_100/instances_val2014_100", "fakebbox100", "segm"),
    "keypoints": ("keypoints_small/gt_dataset", "keypoints_small/dt_dataset", "keypoints"),
    "boxes of keypoints": ("keypoints_small/gt_dataset", "keypoints_small/dt_dataset", "bbox"),
}


@pytest.mark.parametrize("name", REAL)
def test_real_data(name: str, shared_data: Path, same_as_pycocotools: Check) -> None:
    truth, detections, task = REAL[name]
    if detections.startswith("fake"):
        detections = f"coco_val2014_100/instances_val2014_{detections}_results"
    same_as_pycocotools(
        loaded(shared_data / f"{truth}.json"), loaded(shared_data / f"{detections}.json"), task, {}
    )


PARAMS: dict[str, dict[str, Any]] = {
    "more detections": {"maxDets": [3, 1, 500]},
    "equal numbers of detections": {"maxDets": [2, 2, 2, 9]},
    "no detections": {"maxDets": [0, 1, 100]},
    "one threshold": {"iouThrs": np.array([0.3]), "recThrs": np.linspace(0, 1, 11)},
    "more thresholds than bits": {"iouThrs": np.linspace(0, 1, 70)},
    "recalls in no order": {"recThrs": [0.5, 0.1, 0.9, -1, 2, 0]},
    "areas": {"areaRng": [[0, 500], [500, 1e4]], "areaRngLbl": ["small", "all"]},
    "no categories": {"useCats": 0},
    "no categories, but some twice": {"useCats": 0, "catIds": [3, 1, 3]},
    "categories": {"catIds": [44, 1, 1, 62]},
    "images": {"imgIds": [42, 42, 196, 73, 999]},
    "no image at all": {"imgIds": []},
    "no category at all": {"catIds": []},
    "an unknown category": {"catIds": [12345]},
}


@pytest.mark.parametrize("name", PARAMS)
def test_params(name: str, shared_data: Path, same_as_pycocotools: Check) -> None:
    folder = shared_data / "coco_val2014_100"
    same_as_pycocotools(
        loaded(folder / "instances_val2014_100.json"),
        loaded(folder / "instances_val2014_fakebbox100_results.json"),
        "bbox",
        PARAMS[name],
    )


# --- generated cases --------------------------------------------------------------------------

sides = st.sampled_from([0, 1, 8, 12, 32, 64, 96])
boxes = st.tuples(*[st.sampled_from([0, 4, 10, 20])] * 2, sides, sides).map(list)
scores = st.sampled_from([0.1, 0.5, 0.9, 1.0, float("nan")])
areas = st.sampled_from([0, 1, 1023.99, 32**2, 2000.5, 96**2, 9217, 1e10, 2e10])


@st.composite
def truths(draw: st.DrawFn, shape: Callable[[st.DrawFn], dict[str, Any]]) -> dict[str, Any]:
    """A small dataset whose annotations have what ``shape`` draws."""
    count = draw(st.integers(0, 8))
    ids = draw(st.lists(st.integers(0, 20), min_size=count, max_size=count, unique=True))
    annotations = [
        {
            "id": identity,
            "image_id": draw(st.sampled_from(IMAGE_IDS)),
            "category_id": draw(st.sampled_from(CATEGORY_IDS)),
            "area": draw(areas),
            "iscrowd": draw(st.sampled_from([0, 0, 0, 1])),
            **shape(draw),
        }
        for identity in ids
    ]
    return {
        "images": [{"id": i, "height": SIDE, "width": SIDE} for i in IMAGE_IDS],
        "categories": [{"id": i, "name": str(i)} for i in CATEGORY_IDS],
        "annotations": annotations,
    }


@st.composite
def detections(
    draw: st.DrawFn, shape: Callable[[st.DrawFn], dict[str, Any]]
) -> list[dict[str, Any]]:
    """A few detections that have what ``shape`` draws; one of them in an unknown category."""
    return [
        {
            "image_id": draw(st.sampled_from(IMAGE_IDS)),
            "category_id": draw(st.sampled_from([*CATEGORY_IDS, 99])),
            "score": draw(scores),
            **shape(draw),
        }
        for _ in range(draw(st.integers(0, 10)))
    ]


@st.composite
def chosen_params(draw: st.DrawFn) -> dict[str, Any]:
    """Some parameters other than the presets."""
    choices: dict[str, st.SearchStrategy[Any]] = {
        "maxDets": st.lists(st.sampled_from([0, 1, 2, 3, 100]), min_size=1, unique=True),
        "iouThrs": st.lists(st.sampled_from([0, 0.25, 0.5, 0.75, 1]), min_size=1).map(np.array),
        "areaRng": st.just([[0, 1024], [1024, 9216], [0, 1e10]]),
        "useCats": st.sampled_from([0, 1]),
        "catIds": st.lists(st.sampled_from([*CATEGORY_IDS, 5]), max_size=4),
        "imgIds": st.lists(st.sampled_from([*IMAGE_IDS, 5]), max_size=4),
    }
    names = draw(st.sets(st.sampled_from(sorted(choices))))
    params = {name: draw(choices[name]) for name in sorted(names)}
    if "areaRng" in params:
        params["areaRngLbl"] = ["small", "medium", "all"]
    return params


def a_box(draw: st.DrawFn) -> dict[str, Any]:
    return {"bbox": draw(boxes)}


def a_mask(draw: st.DrawFn) -> dict[str, Any]:
    """The union of two boxes, as counts in bytes or text."""
    inside = np.zeros((SIDE, SIDE), np.uint8, order="F")
    for x, y, width, height in draw(st.tuples(boxes, boxes)):
        inside[y : y + height, x : x + width] = 1
    encoded = pycocotools_mask.encode(inside)
    if draw(st.booleans()):
        encoded["counts"] = encoded["counts"].decode()
    return {"segmentation": encoded}


def some_points(draw: st.DrawFn) -> dict[str, Any]:
    places = draw(st.lists(st.sampled_from([0, 5, 6.5, 40]), min_size=34, max_size=34))
    visible = draw(st.lists(st.sampled_from([0, 0, 1, 2]), min_size=17, max_size=17))
    points = [n for x, y, v in zip(places[::2], places[1::2], visible) for n in (x, y, v)]
    return {"keypoints": points, "bbox": draw(boxes)}


def counted_points(draw: st.DrawFn) -> dict[str, Any]:
    drawn = some_points(draw)
    return {**drawn, "num_keypoints": sum(v > 0 for v in drawn["keypoints"][2::3])}


@quick
@given(truths(a_box), detections(a_box), chosen_params())
def test_boxes(same_as_pycocotools: Check, truth: Any, found: Any, params: Any) -> None:
    same_as_pycocotools(truth, found, "bbox", params)


@quick
@given(truths(a_mask), detections(a_mask), chosen_params())
def test_masks(same_as_pycocotools: Check, truth: Any, found: Any, params: Any) -> None:
    same_as_pycocotools(truth, found, "segm", params)


@quick
@given(truths(counted_points), detections(some_points), chosen_params())
def test_keypoints(same_as_pycocotools: Check, truth: Any, found: Any, params: Any) -> None:
    same_as_pycocotools(truth, found, "keypoints", params)


# --- what pycocotools leaves to be done by hand -------------------------------------------------


def opened(truth: dict[str, Any], found: list[dict[str, Any]]) -> tuple[Any, Any]:
    annotations = COCO()
    annotations.dataset = truth
    annotations.createIndex()
    return annotations, annotations.loadRes(found)


def one_of_each() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    at = {"image_id": 3, "category_id": 1}
    truth = {"id": 5, **at, "bbox": [0, 0, 10, 10], "area": 100, "iscrowd": 0}
    dataset = {
        "images": [{"id": 3, "height": SIDE, "width": SIDE}],
        "categories": [{"id": 1, "name": "one"}],
        "annotations": [truth],
    }
    return dataset, [{**at, "bbox": [0, 0, 10, 9], "score": 0.5}]


def test_entries_and_parameters_may_be_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    """As distributed evaluations do: image by image, and accumulated together."""
    truth, found = one_of_each()
    truth["images"].append({"id": 4, "height": SIDE, "width": SIDE})
    truth["annotations"].append({**truth["annotations"][0], "id": 6, "image_id": 4})
    whole = COCOeval(*opened(truth, found), "bbox")
    whole.evaluate()
    whole.accumulate()
    parts = COCOeval(*opened(truth, found), "bbox")
    entries = []
    for image in (3, 4):
        parts.params.imgIds = [image]
        parts.evaluate()
        entries.append(np.asarray(parts.evalImgs).reshape(1, 4, 1))
    parts.evalImgs = list(np.concatenate(entries, 2).flatten())
    parts.params.imgIds = [3, 4]
    parts._paramsEval = parts.params
    parts.accumulate()
    np.testing.assert_array_equal(parts.eval["precision"], whole.eval["precision"])
    assert whole.eval["recall"][0, 0, 0, 2] == 0.5


def test_a_subclass_may_replace_a_step() -> None:
    class Generous(COCOeval):
        def computeIoU(self, imgId: Any, catId: Any) -> Any:
            return np.ones_like(super().computeIoU(imgId, catId))

    truth, found = one_of_each()
    found[0]["bbox"] = [50, 50, 10, 10]
    generous = Generous(*opened(truth, found), "bbox")
    generous.evaluate()
    generous.accumulate()
    generous.summarize()
    assert generous.stats[0] == pytest.approx(1)


def test_a_detection_with_id_0_leaves_its_truth_free() -> None:
    truth, found = one_of_each()
    box = {**found[0], "area": 90, "iscrowd": 0}
    detections = {**truth, "annotations": [{**box, "id": 0}, {**box, "id": 1, "score": 0.4}]}
    precision = []
    for coco, cocoeval in ((COCO, COCOeval), (pycocotools.coco.COCO, official.COCOeval)):
        sides = []
        for content in (truth, detections):
            sides.append(coco())
            sides[-1].dataset = copy.deepcopy(content)
            sides[-1].createIndex()
        evaluation = cocoeval(*sides, "bbox")
        evaluation.evaluate()
        assert evaluation.evalImgs[0]["dtMatches"][0].tolist() == [5, 5]
        evaluation.accumulate()
        precision.append(evaluation.eval["precision"])
    np.testing.assert_array_equal(*precision)


def test_parameters_of_accumulate() -> None:
    truth, found = one_of_each()
    evaluation = COCOeval(*opened(truth, found), "bbox")
    evaluation.evaluate()
    params = Params("bbox")
    params.imgIds, params.catIds = [3], [1]
    params.maxDets, params.recThrs = [1, 100, 7], [0.0, 1.0]
    params.areaRng = params.areaRng[:2]
    evaluation.accumulate(params)
    assert evaluation.eval["precision"].shape == (10, 2, 1, 2, 3)
    # Detections were not cut at 7: as in pycocotools, what was evaluated comes first.
    assert evaluation.eval["recall"][0, 0, 0].tolist() == [1, 1, -1]
    params.iouThrs = [0.5]
    with pytest.raises(UsageError, match="1 IoU thresholds, but evaluate"):
        evaluation.accumulate(params)


def test_deprecated_choice_of_masks(capsys: pytest.CaptureFixture[str]) -> None:
    truth, found = one_of_each()
    evaluation = COCOeval(*opened(truth, found))
    evaluation.params.useSegm = 0
    evaluation.evaluate()
    assert "Running bbox evaluation" in capsys.readouterr().out
    assert evaluation.params.iouType == "bbox"


def test_the_order_of_calls() -> None:
    evaluation = COCOeval(*opened(*one_of_each()), "bbox")
    with pytest.raises(UsageError, match="evaluate"):
        evaluation.accumulate()
    evaluation.evaluate()
    with pytest.raises(UsageError, match="accumulate"):
        evaluation.summarize()
    with pytest.raises(UsageError, match="cocoDt"):
        COCOeval(evaluation.cocoGt, None, "bbox").evaluate()
    with pytest.raises(UsageError, match="iouType 'boxes'"):
        COCOeval(iouType="boxes")


def test_a_summary_of_fewer_than_three_numbers_of_detections() -> None:
    evaluation = COCOeval(*opened(*one_of_each()), "bbox")
    evaluation.params.maxDets = [100]
    evaluation.evaluate()
    evaluation.accumulate()
    assert evaluation.eval["recall"].shape == (10, 1, 4, 1)
    with pytest.raises(UsageError, match=r"maxDets, which is \[100\]"):
        evaluation.summarize()


def test_no_results() -> None:
    truth, _ = one_of_each()
    evaluation = COCOeval(*opened(truth, []), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == 0


def test_a_truth_without_iscrowd_is_none() -> None:
    truth, found = one_of_each()
    del truth["annotations"][0]["iscrowd"]
    evaluation = COCOeval(*opened(truth, found), "bbox")
    evaluation.evaluate()
    assert evaluation.evalImgs[0]["gtIgnore"].tolist() == [0]


BAD_RECORDS: dict[str, tuple[str, dict[str, Any], str]] = {
    "no score": ("found", {"score": None}, "detection id 1: score is None"),
    "no truth's area": ("truth", {"area": "big"}, "annotation id 5: area is 'big'"),
    "a short box": ("truth", {"bbox": [1, 2, 3]}, "annotation id 5: bbox has 3 numbers, not 4"),
    "a box of text": ("truth", {"bbox": ["a"] * 4}, "annotation id 5: bbox is .*not 4 numbers"),
}


@pytest.mark.parametrize("name", BAD_RECORDS)
def test_malformed_records_are_named(name: str) -> None:
    side, change, message = BAD_RECORDS[name]
    truth, found = one_of_each()
    annotations, results = opened(truth, found)
    (annotations if side == "truth" else results).dataset["annotations"][0].update(change)
    with pytest.raises(InputError, match=message):
        COCOeval(annotations, results, "bbox").evaluate()


def test_a_malformed_mask_is_named() -> None:
    truth, found = one_of_each()
    truth["annotations"][0]["segmentation"] = {"size": [SIDE, SIDE], "counts": "35"}
    with pytest.raises(InputError, match="annotation id 5: segmentation is malformed"):
        COCOeval(*opened(truth, found), "segm").evaluate()
