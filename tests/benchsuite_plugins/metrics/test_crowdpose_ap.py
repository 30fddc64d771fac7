"""CrowdPose's AP, against pycocotools given CrowdPose's sigmas, areas and groups of images."""

from __future__ import annotations

import contextlib
import io
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchsuite.columns.coco_results import read_coco_results
from benchsuite.columns.truth import build_truth
from benchsuite.errors import InputError
from benchsuite.protocols import Metric, Predictions, ResampledMetric, Truth
from benchsuite.records import ImageRecord
from benchsuite_plugins.metrics.crowdpose_ap import create

SIGMAS = np.array(
    [0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89, 0.79, 0.79]
)
INDICES = (0.0, 0.19, 0.2, 0.5, 0.79, 0.8, 0.95, 0.1, 0.6, 0.85)
EASY, MEDIUM, HARD = (0, 1, 7), (2, 3, 4, 8), (5, 6, 9)


def case(seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An annotation file's content and results for it; some truths have no visible keypoint."""
    draw = random.Random(seed).random
    images = [
        {"id": 30 + place, "width": 200, "height": 200, "crowdIndex": index}
        for place, index in enumerate(INDICES)
    ]
    annotations, results = [], []
    for image in images:
        for _ in range(1 + int(4 * draw())):
            x, y, width, height = 100 * draw(), 100 * draw(), 20 + 60 * draw(), 20 + 60 * draw()
            points = []
            for _ in range(14):
                points += [x + width * draw(), y + height * draw(), int(3 * draw())]
            if draw() < 0.1:
                points[2::3] = [0] * 14
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image["id"],
                    "category_id": 1,
                    "bbox": [x, y, width, height],
                    # Another area than the protocol's: it must not be looked at.
                    "area": 7.0 * width * height,
                    "iscrowd": int(draw() < 0.05),
                    "keypoints": points,
                    "num_keypoints": sum(v > 0 for v in points[2::3]),
                }
            )
            for _ in range(int(3 * draw())):
                off = (0.02, 0.06, 0.2)[int(3 * draw())] * width
                found = list(points)
                for place in range(14):
                    found[3 * place] += off * (draw() - 0.5)
                    found[3 * place + 1] += off * (draw() - 0.5)
                results.append(
                    {
                        "image_id": image["id"],
                        "category_id": 1,
                        "keypoints": found,
                        "score": int(20 * draw()) / 20,
                    }
                )
    categories = [{"id": 1, "name": "person"}]
    return {"images": images, "annotations": annotations, "categories": categories}, results


def sides(content: dict[str, Any], results: list[dict[str, Any]]) -> tuple[Truth, Predictions]:
    truth = build_truth(content["images"], content["annotations"], content["categories"])
    images = [
        ImageRecord(each["id"], "", each["width"], each["height"]) for each in content["images"]
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "results.json")
        path.write_text(json.dumps(results))
        return truth, read_coco_results(path, images, truth.categories, "keypoints")


def official(
    content: dict[str, Any], results: list[dict[str, Any]], images: tuple[int, ...] | None = None
) -> list[float]:
    """AP, AP50, AP75, AR, AR50, AR75."""
    content = json.loads(json.dumps(content))
    for each in content["annotations"]:
        each["area"] = each["bbox"][3] * each["bbox"][2] * 0.53
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = content
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(json.loads(json.dumps(results))), "keypoints")
        evaluation.params.kpt_oks_sigmas = SIGMAS / 10.0
        if images is not None:
            evaluation.params.imgIds = [content["images"][place]["id"] for place in images]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(evaluation.stats[place]) for place in (0, 1, 2, 5, 6, 7)]


@pytest.mark.parametrize("seed", range(6))
def test_equals_pycocotools_of_each_group_of_images(seed):
    content, results = case(seed)
    metric = create()
    found = dict(metric.accumulate(metric.match(*sides(content, results))).metrics)
    assert list(found) == [
        *("AP", "AP50", "AP75", "AR", "AR50", "AR75", "APeasy", "APmedium", "APhard")
    ]
    expected = official(content, results)
    for group in (EASY, MEDIUM, HARD):
        expected.append(official(content, results, group)[0])
    # pycocotools' means are NumPy's, whose last digit depends on its version.
    assert list(found.values()) == pytest.approx(expected, abs=1e-15)


@pytest.fixture(scope="module")
def matches() -> pa.Table:
    return create().match(*sides(*case(11)))


def test_a_group_without_images_is_minus_one(matches):
    hard = {30 + place: 1.0 for place in HARD}
    found = create().accumulate(matches, hard).metrics
    assert (found["APeasy"], found["APmedium"]) == (-1.0, -1.0)
    assert found["APhard"] == found["AP"] > 0


def test_parts_in_any_order_give_the_same_bits(matches):
    metric = create()
    assert isinstance(metric, Metric)
    images = matches["image_id"].to_numpy()
    parts = [matches.filter(pa.array(images % 3 == rest)) for rest in (2, 0, 1)]
    joined = pa.concat_tables(parts)
    assert metric.accumulate(joined).metrics == metric.accumulate(matches).metrics


def test_resampling_is_accumulating_to_the_bit(matches):
    metric = create()
    assert isinstance(metric, ResampledMetric)
    image_ids = np.arange(30, 40)
    weights = np.random.default_rng(1).integers(0, 3, (15, 10)).astype(np.float64)
    found = metric.resample(matches, image_ids, weights)
    for row, of_images in enumerate(weights):
        expected = metric.accumulate(matches, dict(zip(image_ids.tolist(), of_images))).metrics
        assert {name: values[row] for name, values in found.items()} == dict(expected)


def test_an_image_without_a_crowd_index_is_named():
    content, results = case(2)
    del content["images"][3]["crowdIndex"]
    with pytest.raises(InputError, match=r"image id 33.*crowdIndex"):
        create().match(*sides(content, results))
