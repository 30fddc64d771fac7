"""COCO AP by hand: values, tables, and what cannot be scored."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchsuite.columns.coco_results import read_coco_results
from benchsuite.columns.truth import build_truth
from benchsuite.errors import ContractError, InputError
from benchsuite.protocols import Metric, Predictions, Truth
from benchsuite.records import ImageRecord
from benchsuite.specs import Category, KeypointLayout
from benchsuite_plugins.metrics import coco_ap

SIDE = 128

LAYOUT = KeypointLayout(("a", "b", "c"), (0.05, 0.1, 0.3))

METRICS = {"bbox": coco_ap.bbox, "segm": coco_ap.segm, "keypoints": coco_ap.keypoints}

Case = dict[str, Any]


def tables(case: Case) -> tuple[Truth, Predictions]:
    """The case as columns, its results by way of a file."""
    content = case["truth"]
    truth = build_truth(
        content["images"], content["annotations"], content["categories"], keypoints=LAYOUT
    )
    images = [ImageRecord(i["id"], "", i["width"], i["height"]) for i in content["images"]]
    categories = [Category(c["id"], c["name"]) for c in content["categories"]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "results.json")
        path.write_text(json.dumps(case["results"]))
        return truth, read_coco_results(path, images, categories, case["task"])


def only(predictions: Predictions, images: list[int]) -> Predictions:
    """What a run of these images alone would have predicted."""

    def of_images(table: pa.Table) -> pa.Table:
        return table.filter(pa.array(np.isin(table["image_id"].to_numpy(), images)))

    return Predictions(of_images(predictions.images), of_images(predictions.instances))


def matched(case: Case) -> tuple[Metric, pa.Table]:
    metric = METRICS[case["task"]]()
    return metric, metric.match(*tables(case))


def boxes_case(truths: list[Case], results: list[Case], categories: tuple[int, ...] = (1,)) -> Case:
    """A case of boxes in images 1, 2 and 3; truths are numbered from 1, areas are the boxes'."""
    annotations_ = [
        {"id": number, "area": truth["bbox"][2] * truth["bbox"][3], "iscrowd": 0, **truth}
        for number, truth in enumerate(truths, 1)
    ]
    return {
        "task": "bbox",
        "truth": {
            "images": [{"id": i, "width": SIDE, "height": SIDE} for i in (1, 2, 3)],
            "annotations": annotations_,
            "categories": [{"id": i, "name": str(i)} for i in categories],
        },
        "results": results,
    }


def truth_box(image: int, box: list[float], **fields: Any) -> Case:
    return {"image_id": image, "category_id": 1, "bbox": box, **fields}


def found_box(image: int, box: list[float], score: float, category: int = 1) -> Case:
    return {"image_id": image, "category_id": category, "bbox": box, "score": score}


BY_HAND = boxes_case(
    [truth_box(1, [0, 0, 10, 10]), truth_box(1, [50, 50, 10, 10]), truth_box(2, [0, 0, 10, 10])],
    [
        found_box(1, [0, 0, 10, 10], 0.9),
        found_box(1, [100, 0, 10, 10], 0.8),
        found_box(2, [0, 0, 10, 5], 0.7),
    ],
)
"""Three truths; a hit, a miss, and a hit at IoU 0.5 alone."""


def test_values_by_hand() -> None:
    metric, matches = matched(BY_HAND)
    scores = metric.accumulate(matches)
    # At IoU 0.5 precision is 1 up to recall 1/3 (34 of the 101 points) and 2/3 up to 2/3 (33 more);
    # at the other nine thresholds it is 1 up to 1/3.
    assert scores.metrics == pytest.approx(
        {
            "AP": (34 + 33 * 2 / 3 + 9 * 34) / 10 / 101,
            "AP50": (34 + 33 * 2 / 3) / 101,
            "AP75": 34 / 101,
            "APs": (34 + 33 * 2 / 3 + 9 * 34) / 10 / 101,
            "APm": -1,
            "APl": -1,
            "AR1": 11 / 30,
            "AR10": 11 / 30,
            "AR100": 11 / 30,
            "ARs": 11 / 30,
            "ARm": -1,
            "ARl": -1,
        },
        abs=1e-12,
    )


def test_fractional_weights_by_hand() -> None:
    metric, matches = matched(BY_HAND)
    scores = metric.accumulate(matches, {1: 0.5, 2: 2})
    # Three truths in all: recall 0.5/3 at precision 1 (17 points), then 2.5/3 at 2.5/3 (67 more).
    assert scores.metrics["AP50"] == pytest.approx((17 + 67 * 2.5 / 3) / 101, abs=1e-12)
    assert scores.metrics["AR100"] == pytest.approx((2.5 / 3 + 9 * 0.5 / 3) / 10, abs=1e-12)


def test_images_without_weight_do_not_count() -> None:
    metric, matches = matched(BY_HAND)
    assert metric.accumulate(matches, {2: 1}).metrics["AP50"] == pytest.approx(1)
    assert metric.accumulate(matches, {}).metrics["AP"] == -1


def test_per_class_and_curves() -> None:
    case = copy.deepcopy(BY_HAND)
    case["truth"]["categories"].append({"id": 9, "name": "absent"})
    metric, matches = matched(case)
    scores = metric.accumulate(matches)
    values = {
        (row["category_id"], row["metric"]): row["value"] for row in scores.per_class.to_pylist()
    }
    assert {name: values[1, name] for name in scores.metrics if values[1, name] is not None} == {
        name: value for name, value in scores.metrics.items() if value != -1
    }
    assert {value for (category, _), value in values.items() if category == 9} == {None}

    curves = scores.curves.to_pylist()
    assert [(c["category_id"], c["iou"]) for c in curves] == [(1, 0.5), (1, 0.75)]
    assert {(c["area"], c["max_detections"]) for c in curves} == {("all", 100)}
    assert curves[0]["recall"] == np.linspace(0, 1, 101).tolist()
    assert curves[0]["precision"] == pytest.approx([1] * 34 + [2 / 3] * 33 + [0] * 34)
    assert curves[0]["score"] == [0.9] * 34 + [0.7] * 33 + [0] * 34


def test_match_table() -> None:
    _, matches = matched(BY_HAND)
    rows = {
        (row["is_truth"], row["image_id"], row["source_id"]): row for row in matches.to_pylist()
    }
    assert len(rows) == 6
    every, first = 2**10 - 1, 1
    assert rows[False, 1, 0]["matched_all"] == every
    assert rows[False, 1, 1]["matched_all"] == 0
    assert rows[False, 2, 2]["matched_all"] == first
    assert rows[True, 1, 1]["matched_all"] == every
    assert rows[True, 1, 2]["matched_all"] == 0
    assert rows[True, 2, 3]["matched_all"] == first
    assert rows[False, 1, 1]["ignored_large"] == every
    assert [rows[False, 1, place]["rank"] for place in (0, 1)] == [0, 1]
    assert rows[True, 1, 1]["rank"] is None
    assert rows[True, 1, 1]["ignored_small"] == 0


def test_table_survives_parquet(tmp_path: Path) -> None:
    metric, matches = matched(BY_HAND)
    pq.write_table(matches, tmp_path / "matches.parquet")
    stored = pq.read_table(tmp_path / "matches.parquet")
    assert metric.accumulate(stored).metrics == metric.accumulate(matches).metrics


def test_only_images_that_were_run_are_scored() -> None:
    metric = coco_ap.bbox()
    truth, predictions = tables(BY_HAND)
    scores = metric.accumulate(metric.match(truth, only(predictions, [2])))
    assert scores.metrics["AP50"] == pytest.approx(1)


def keypoints_of(box: list[float]) -> Case:
    x, y, width, height = box
    return {"keypoints": [x, y, 2, x + width, y, 1, x, y + height, 2], "num_keypoints": 3}


def test_categories_without_keypoints_are_left_out() -> None:
    box = [0, 0, 10, 10]
    points = keypoints_of(box)
    case = boxes_case(
        [truth_box(1, box, area=2000, **points), truth_box(1, box, category_id=2, area=2000)],
        [{**found_box(1, box, 0.9, category), **points} for category in (1, 2)],
        categories=(1, 2),
    )
    metric, matches = matched({**case, "task": "keypoints"})
    scores = metric.accumulate(matches)
    assert scores.metrics["AP"] == pytest.approx(1)
    values = scores.per_class.to_pylist()
    assert {row["value"] for row in values if row["category_id"] == 2} == {None}


# --- what cannot be scored ------------------------------------------------------------------------


def test_unknown_category() -> None:
    truth, _ = tables(BY_HAND)
    _, predictions = tables(boxes_case([], [found_box(1, [0, 0, 1, 1], 1, 7)], categories=(7,)))
    with pytest.raises(InputError, match=r"detections\[0\]: category_id 7"):
        coco_ap.bbox().match(truth, predictions)


def test_detection_in_an_image_that_was_not_run() -> None:
    truth, predictions = tables(BY_HAND)
    fewer = Predictions(only(predictions, [1]).images, predictions.instances, "run.json")
    with pytest.raises(InputError, match=r"run\.json, detections\[2\]: image_id 2"):
        coco_ap.bbox().match(truth, fewer)


def test_image_that_the_truth_does_not_have() -> None:
    truth, predictions = tables(BY_HAND)
    known = Truth(truth.images.slice(0, 2), truth.instances, truth.categories, source="truth.json")
    with pytest.raises(InputError, match=r"image_id 3 is not among the images of truth\.json"):
        coco_ap.bbox().match(known, predictions)


def test_detection_without_mask() -> None:
    truth, predictions = tables(boxes_case([], [found_box(1, [0, 0, 1, 1], 1)]))
    with pytest.raises(InputError, match=r"detections\[0\]: segmentation is missing"):
        coco_ap.segm().match(truth, predictions)


def test_truth_without_mask() -> None:
    truth, predictions = tables(BY_HAND)
    empty = Predictions(predictions.images, predictions.instances.slice(0, 0))
    with pytest.raises(InputError, match="annotation id 1: segmentation is missing"):
        coco_ap.segm().match(truth, empty)


def test_another_number_of_keypoints_than_the_layout() -> None:
    case = {**boxes_case([], []), "task": "keypoints"}
    case["results"] = [{**found_box(1, [0, 0, 1, 1], 1), "keypoints": [1, 2, 3] * 4}]
    truth, predictions = tables(case)
    box = [0, 0, 10, 10]
    truth, _ = tables(boxes_case([truth_box(1, box, **keypoints_of(box))], []))
    with pytest.raises(InputError, match=r"detections\[0\]: keypoints has 12 numbers, not 9"):
        coco_ap.keypoints().match(truth, predictions)


def test_keypoints_without_layout() -> None:
    truth, predictions = tables(BY_HAND)
    bare = Truth(truth.images, truth.instances, truth.categories)
    with pytest.raises(ContractError, match="no keypoint layout"):
        coco_ap.keypoints().match(bare, predictions)


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf")])
def test_weights_that_are_none(weight: float) -> None:
    metric, matches = matched(BY_HAND)
    with pytest.raises(ContractError, match="the weight of image 2"):
        metric.accumulate(matches, {1: 1, 2: weight})


def test_another_table() -> None:
    with pytest.raises(ContractError, match="no COCO match table"):
        coco_ap.bbox().accumulate(pa.table({"image_id": [1]}))


def test_evaluator() -> None:
    assert coco_ap.bbox().evaluator.startswith("benchsuite ")
    assert isinstance(coco_ap.bbox(), Metric)
