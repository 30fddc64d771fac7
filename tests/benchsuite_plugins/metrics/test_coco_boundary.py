"""Boundary AP: on real data, and where it differs from AP of masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchsuite.columns.coco_results import read_coco_results
from benchsuite.columns.truth import build_truth
from benchsuite.errors import UsageError
from benchsuite.protocols import Metric, ResampledMetric, Scores
from benchsuite.records import ImageRecord
from benchsuite.specs import Category
from benchsuite_kernels.columns import rle
from benchsuite_plugins.datasets.coco_format import CocoFormatDataset
from benchsuite_plugins.metrics import coco_ap, coco_boundary
from benchsuite_plugins.metrics.coco_boundary import BoundaryOptions

SIDE = 100
"""Its diagonal makes a boundary of 3 pixels."""

OFFICIAL = {
    "AP": 0.22639400050237551,
    "AP50": 0.3775010774391817,
    "AP75": 0.22557984624218536,
    "APs": 0.3873740315997838,
    "APm": 0.2723674031279294,
    "APl": 0.07554378414806898,
    "AR1": 0.18722550309388875,
    "AR10": 0.31265229701106306,
    "AR100": 0.3140431150818811,
    "ARs": 0.4694498622754236,
    "ARm": 0.34054347826086956,
    "ARl": 0.10387037037037035,
}
"""What boundary-iou-api makes of the COCO API's sample detections."""


def test_real_data(shared_data: Path) -> None:
    expected = json.loads((shared_data / "EXPECTED.json").read_text())["coco_val2014_100"]
    dataset = CocoFormatDataset(shared_data / expected["ground_truth"], None)
    results = shared_data / expected["segm"]["detections"]
    predictions = read_coco_results(results, dataset.images(), dataset.categories, "segm")
    metric = coco_boundary.create()
    assert isinstance(metric, Metric) and isinstance(metric, ResampledMetric)
    matches = metric.match(dataset.truth("segm"), predictions)
    assert metric.accumulate(matches).metrics == OFFICIAL


def square(x: int, side: int, **fields: Any) -> dict[str, Any]:
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[x : x + side, x : x + side] = True
    counts = rle.encode(mask).decode()
    segmentation = {"size": [SIDE, SIDE], "counts": counts}
    record = {"image_id": 1, "category_id": 1, "segmentation": segmentation, **fields}
    return {"area": side**2, "bbox": [x, x, side, side], **record}


def scored(
    tmp_path: Path, truths: list[dict[str, Any]], found: list[dict[str, Any]], metric: Metric
) -> Scores:
    numbered = [{"id": number, **each} for number, each in enumerate(truths, 1)]
    truth = build_truth(
        [{"id": 1, "width": SIDE, "height": SIDE}], numbered, [{"id": 1, "name": "square"}]
    )
    path = tmp_path / "results.json"
    path.write_text(json.dumps([{"score": 0.5, **each} for each in found]))
    images = [ImageRecord(1, "", SIDE, SIDE)]
    predictions = read_coco_results(path, images, [Category(1, "square")], "segm")
    return metric.accumulate(metric.match(truth, predictions))


def test_boundaries_count_where_they_are_worse_than_masks(tmp_path: Path) -> None:
    # The boundaries, 3 pixels wide, lie 2 pixels apart.
    truths, found = [square(10, 82)], [square(12, 82)]
    of_masks = scored(tmp_path, truths, found, coco_ap.segm()).metrics
    of_boundaries = scored(tmp_path, truths, found, coco_boundary.create()).metrics
    assert of_masks["AP75"] == pytest.approx(1)
    assert of_boundaries["AP50"] == 0
    wide = coco_boundary.create(BoundaryOptions(dilation_ratio=0.5))
    assert scored(tmp_path, truths, found, wide).metrics == of_masks


def test_of_a_crowd_the_masks_alone_count(tmp_path: Path) -> None:
    truths = [square(0, 90, iscrowd=1), square(92, 5)]
    found = [square(20, 30), square(92, 5, score=0.4)]
    assert scored(tmp_path, truths, found, coco_boundary.create()).metrics["AP"] == pytest.approx(1)


def test_a_truth_to_be_ignored_is(tmp_path: Path) -> None:
    truths, found = [square(0, 30, ignore=1), square(50, 30)], [square(0, 30), square(50, 30)]
    scores = scored(tmp_path, truths, found, coco_boundary.create())
    assert scores.metrics["AP"] == pytest.approx(1)
    missing = scored(tmp_path, truths, found[1:], coco_boundary.create())
    assert missing.metrics["AR100"] == pytest.approx(1)
    # pycocotools looks at crowds alone.
    assert scored(tmp_path, truths, found[1:], coco_ap.segm()).metrics["AR100"] == 0.5


def test_a_ratio_that_cannot_be() -> None:
    with pytest.raises(UsageError, match=r"dilation_ratio=1\.5: it is from 0 to 1"):
        coco_boundary.create(BoundaryOptions(dilation_ratio=1.5))
