"""COCO AP with options, and of what is let pass, against pycocotools with the same parameters."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchsuite.columns.coco_results import begin_results_file
from benchsuite.columns.image_columns import ImageColumns
from benchsuite.columns.truth import build_truth
from benchsuite.errors import InputError, UsageError
from benchsuite.protocols import OfficialScorer, Predictions, Truth
from benchsuite.records import ImageRecord
from benchsuite.specs import Category, KeypointLayout
from benchsuite_kernels.columns import rle
from benchsuite_plugins.metrics import coco_ap, coco_official
from benchsuite_plugins.metrics.coco_options import CocoOptions
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.precision_recall import accumulate

SIDE = 64
LAYOUT = KeypointLayout(("a", "b", "c"), (0.05, 0.1, 0.3))
TASKS = ("bbox", "segm", "keypoints")

Case = dict[str, Any]


def dense_case(seed: int, task: str) -> Case:
    """Three images and four categories full of objects that overlap, and detections near them."""
    random = np.random.default_rng(seed)

    def shape(box: list[int]) -> Case:
        x, y, width, height = box
        if task == "segm":
            mask = np.zeros((SIDE, SIDE), np.bool_)
            mask[y : y + height, x : x + width] = True
            counts = rle.encode(mask).decode()
            return {"segmentation": {"size": [SIDE, SIDE], "counts": counts}}
        if task == "keypoints":
            points = [x, y, 2, x + width, y, int(random.integers(3)), x, y + height, 1]
            return {"keypoints": points, "num_keypoints": 2 + (points[5] > 0), "bbox": box}
        return {"bbox": box}

    def box() -> list[int]:
        return [*random.integers(0, 12, 2).tolist(), *random.integers(8, 40, 2).tolist()]

    truths: list[Case] = []
    for number in range(int(random.integers(0, 25))):
        placed = box()
        truths.append(
            {
                "id": number,
                "image_id": int(random.integers(1, 4)),
                "category_id": int(random.integers(1, 5)),
                "iscrowd": int(random.random() < 0.15),
                "area": placed[2] * placed[3] if random.random() < 0.8 else 256,
                "bbox": placed,
                **shape(placed),
            }
        )
    results = []
    for _ in range(int(random.integers(1, 60))):
        like = truths[int(random.integers(len(truths)))] if truths else {"bbox": box()}
        x, y, width, height = like["bbox"]
        moved = [int(x + random.integers(0, 3)), y, width, int(height + random.integers(0, 4))]
        results.append(
            {
                "image_id": like.get("image_id", 1),
                "category_id": int(random.choice([like.get("category_id", 1), 2])),
                "score": float(random.integers(0, 8) / 8),
                **shape(moved),
            }
        )
    return {
        "task": task,
        "truth": {
            "images": [{"id": i, "width": SIDE, "height": SIDE} for i in (1, 2, 3)],
            "annotations": truths,
            "categories": [{"id": i, "name": str(i)} for i in (1, 2, 3, 4)],
        },
        "results": results,
    }


def tables(case: Case, *, lenient: bool = False) -> tuple[Truth, Predictions]:
    content = case["truth"]
    truth = build_truth(
        content["images"], content["annotations"], content["categories"], keypoints=LAYOUT
    )
    images = [ImageRecord(i["id"], "", i["width"], i["height"]) for i in content["images"]]
    categories = [Category(c["id"], c["name"]) for c in content["categories"]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "results.json")
        path.write_text(json.dumps(case["results"]))
        rest = begin_results_file(path, case["task"], lenient=lenient)
        read = rest(ImageColumns.of(images), categories)
    return truth, read.predictions


def official(case: Case, options: CocoOptions) -> COCOeval:
    """pycocotools' evaluation of the plain records."""
    with contextlib.redirect_stdout(io.StringIO()):
        truths = COCO()
        truths.dataset = json.loads(json.dumps(case["truth"]))
        truths.createIndex()
        detections = truths.loadRes(json.loads(json.dumps(case["results"])))
        evaluation = COCOeval(truths, detections, case["task"])
        params = evaluation.params
        if options.iou_thresholds:
            params.iouThrs = np.array(options.iou_thresholds)
        if options.max_detections:
            params.maxDets = list(options.max_detections)
        if options.areas is not None:
            params.areaRng = [[0, 1e10], *map(list, options.areas.values())]
        if options.category_ids:
            params.catIds = sorted(options.category_ids)
        params.useCats = int(options.use_categories)
        params.kpt_oks_sigmas = np.array(options.sigmas or LAYOUT.sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


@st.composite
def options(draw: st.DrawFn, task: str) -> CocoOptions:
    apart = task == "keypoints" or draw(st.booleans())
    return CocoOptions(
        iou_thresholds=draw(st.sampled_from([(), (0.5,), (0.3, 0.9, 0.5), (1.0,)])),
        max_detections=draw(st.sampled_from([(), (1,), (2, 5), (1, 10, 100, 300)])),
        areas=draw(
            st.sampled_from([None, {}, {"tiny": (0, 256), "huge": (256, 1e5)}, {"large": (99, 99)}])
        ),
        category_ids=draw(st.sampled_from([(), (2,), (3, 1)])) if apart else (),
        use_categories=apart,
        sigmas=draw(st.sampled_from([(), (0.2, 0.4, 0.1)])) if task == "keypoints" else (),
    )


@pytest.mark.parametrize("task", TASKS)
@settings(
    deadline=None,
    max_examples=settings.default.max_examples,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32), data=st.data())
def test_options_are_parameters_of_pycocotools(task: str, seed: int, data: st.DataObject) -> None:
    case, chosen = dense_case(seed, task), data.draw(options(task))
    theirs = official(case, chosen)
    given_tables = tables(case)
    metric = getattr(coco_ap, task)(chosen)
    matches = metric.match(*given_tables)
    ours = accumulate(matches)
    for name in ("precision", "recall", "scores"):
        np.testing.assert_array_equal(getattr(ours, name), theirs.eval[name], err_msg=name)
    scorer = getattr(coco_official, task)(chosen)
    assert isinstance(scorer, OfficialScorer)
    assert scorer.score(*given_tables).metrics == metric.accumulate(matches).metrics


@pytest.mark.parametrize("task", TASKS)
def test_what_is_let_pass_scores_as_in_pycocotools(task: str) -> None:
    for seed in range(12):
        case = dense_case(seed, task)
        random = np.random.default_rng(seed)
        for result in case["results"]:
            odd = random.random()
            if odd < 0.15:
                result["score"] = float(random.choice([np.nan, np.inf, -np.inf]))
            elif odd < 0.2:
                result["category_id"] = 99
            elif odd < 0.25 and "bbox" in result:
                result["bbox"] = [5, 5, -3, 20]
        theirs = official(case, CocoOptions())
        metric = getattr(coco_ap, task)()
        matches = metric.match(*tables(case, lenient=True))
        ours = accumulate(matches)
        for name in ("precision", "recall", "scores"):
            np.testing.assert_array_equal(getattr(ours, name), theirs.eval[name], err_msg=name)
        scores = getattr(coco_official, task)().score(*tables(case, lenient=True))
        assert scores.metrics == metric.accumulate(matches).metrics


def test_names_of_the_values() -> None:
    truth, predictions = tables(dense_case(3, "bbox"))
    chosen = CocoOptions(
        iou_thresholds=(0.5, 0.6),
        max_detections=(1, 300),
        areas={"small": (0, 100), "vast": (100, 1e5)},
    )
    metric = coco_ap.bbox(chosen)
    scores = metric.accumulate(metric.match(truth, predictions))
    names = ["AP", "AP50", "APs", "AP_vast", "AR1", "AR300", "ARs", "AR_vast"]
    assert list(scores.metrics) == names
    assert MatchHeader.of(metric.match(truth, predictions)).category_ids == (1, 2, 3, 4)


def test_no_detections_at_all_is_the_evident_result_of_both() -> None:
    truth, predictions = tables({**dense_case(3, "bbox"), "results": []})
    metric = coco_ap.bbox()
    ours = metric.accumulate(metric.match(truth, predictions)).metrics
    assert ours["AP"] == 0
    assert coco_official.bbox().score(truth, predictions).metrics == ours


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"iou_thresholds": (0.5, 1.5)}, "iou_thresholds"),
        ({"iou_thresholds": tuple(np.linspace(0.1, 0.9, 65))}, "64 at most"),
        ({"max_detections": (10, 1)}, "must ascend"),
        ({"areas": {"small": (5, 1)}}, "is no range"),
        ({"category_ids": (9,)}, "no category 9"),
        ({"category_ids": (1,), "use_categories": False}, "exclude"),
        ({"sigmas": (0.1,)}, "1 numbers for 3 keypoints"),
        ({"sigmas": (0.1, 0.1, 0)}, "above 0"),
    ],
)
def test_options_that_cannot_be(chosen: Case, message: str) -> None:
    truth, predictions = tables(dense_case(3, "keypoints"))
    with pytest.raises(UsageError, match=message):
        coco_ap.keypoints(CocoOptions(**chosen)).match(truth, predictions)


def test_a_malformed_mask_in_a_table_is_named() -> None:
    truth, predictions = tables(dense_case(3, "segm"))
    rows = predictions.instances.to_pylist()
    rows[4]["segmentation"]["counts"] += b"X"
    broken = predictions.instances.from_pylist(rows, schema=predictions.instances.schema)
    damaged = Predictions(predictions.images, broken, "masks.parquet")
    with pytest.raises(InputError, match=r"masks\.parquet, detections\[4\]: segmentation: the RLE"):
        coco_ap.segm().match(truth, damaged)
