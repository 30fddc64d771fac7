"""The confusion matrix: against pycocotools' matching without categories, and by hand."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchsuite.columns.coco_results import read_coco_results
from benchsuite.columns.truth import build_truth
from benchsuite.errors import UsageError
from benchsuite.records import ImageRecord
from benchsuite_plugins.metrics import coco_ap
from benchsuite_plugins.metrics.confusion_matrix import confusion_matrix
from benchsuite_plugins.metrics.overlap_table import overlap_table

Record = dict[str, Any]
Case = tuple[Record, list[Record]]


def tables(case: Case, folder: Path) -> tuple[pa.Table, pa.Table]:
    content, results = case
    truth = build_truth(content["images"], content["annotations"], content["categories"])
    file = folder / "results.json"
    file.write_text(json.dumps(results))
    images = [
        ImageRecord(row["image_id"], "", row["width"], row["height"])
        for row in truth.images.to_pylist()
    ]
    predictions = read_coco_results(file, images, truth.categories, "bbox")
    matches = coco_ap.bbox().match(truth, predictions)
    return matches, overlap_table(truth, predictions, matches)


def by_pycocotools(case: Case, iou: float, score: float) -> np.ndarray:
    """The matrix by COCOeval with ``useCats = 0``."""
    content, results = case
    count = len(content["categories"])
    counts = np.zeros((count + 1, count + 1))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = content
        truth.createIndex()
        evaluation = COCOeval(
            truth, truth.loadRes([dict(each) for each in results if each["score"] >= score]), "bbox"
        )
        parameters = evaluation.params
        parameters.useCats, parameters.iouThrs = 0, np.array([iou])
        parameters.maxDets, parameters.areaRng = [10_000], [[0, 1e10]]
        evaluation.evaluate()
    for found in evaluation.evalImgs:
        if found is None:
            continue
        for identity, match in zip(found["dtIds"], found["dtMatches"][0].astype(int)):
            column = evaluation.cocoDt.anns[identity]["category_id"] - 1
            row = truth.anns[match]["category_id"] - 1 if match else count
            counts[row, column] += 1
        for identity, match in zip(found["gtIds"], found["gtMatches"][0]):
            if not match:
                counts[truth.anns[identity]["category_id"] - 1, count] += 1
    return counts


@pytest.mark.parametrize(("iou", "score"), [(0.5, 0.3), (0.75, 0.0), (0.5, 0.9)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_against_pycocotools(
    seed: int, iou: float, score: float, detection_case: Callable[..., Case], tmp_path: Path
) -> None:
    content, results = detection_case(seed, 40, 5)
    for annotation in content["annotations"]:
        annotation["iscrowd"] = 0
    # Many equal scores.
    results = [{**each, "score": round(each["score"], 1)} for each in results]
    found = confusion_matrix(*tables((content, results), tmp_path), iou=iou, score=score)
    assert np.array_equal(found.counts, by_pycocotools((content, results), iou, score))
    assert found.counts.sum() > 50


PLACE, ELSEWHERE = [10, 10, 40, 40], [120, 120, 40, 40]


def one_image(truths: list[Record], results: list[Record]) -> Case:
    return (
        {
            "images": [{"id": 1, "width": 200, "height": 200}],
            "annotations": [
                {"id": number, "image_id": 1, "area": 1600, "iscrowd": 0, **each}
                for number, each in enumerate(truths, 1)
            ],
            "categories": [{"id": 4, "name": "cat"}, {"id": 9, "name": "dog"}],
        },
        [{"image_id": 1, **each} for each in results],
    )


def box(category: int, at: list[int], **fields: Any) -> Record:
    return {"category_id": category, "bbox": at, **fields}


def test_cells(tmp_path: Path) -> None:
    case = one_image(
        [box(4, PLACE), box(9, [100, 10, 30, 30])],
        [box(9, PLACE, score=0.9), box(4, ELSEWHERE, score=0.5), box(4, PLACE, score=0.4)],
    )
    found = confusion_matrix(*tables(case, tmp_path))
    assert found.category_ids == (4, 9)
    assert found.counts.tolist() == [[0, 1, 0], [0, 0, 1], [2, 0, 0]]
    assert found.cells().to_pylist() == [
        {"truth_category_id": 4, "category_id": 9, "count": 1},
        {"truth_category_id": 9, "category_id": None, "count": 1},
        {"truth_category_id": None, "category_id": 4, "count": 2},
    ]
    found = confusion_matrix(*tables(case, tmp_path), image_weights={1: 0.5})
    assert found.counts.sum() == 2


def test_scores_below_the_threshold_do_not_count(tmp_path: Path) -> None:
    given = tables(one_image([box(4, PLACE)], [box(4, PLACE, score=0.3)]), tmp_path)
    assert confusion_matrix(*given, score=0.3).counts[0].tolist() == [1, 0, 0]
    assert confusion_matrix(*given, score=0.31).counts[0].tolist() == [0, 0, 1]


def test_what_lies_on_a_crowd_does_not_count(tmp_path: Path) -> None:
    case = one_image([box(4, PLACE, iscrowd=1)], [box(4, PLACE, score=1), box(9, PLACE, score=1)])
    assert confusion_matrix(*tables(case, tmp_path)).cells().to_pylist() == [
        {"truth_category_id": None, "category_id": 9, "count": 1},
    ]


def test_an_overlap_that_is_not_known(tmp_path: Path) -> None:
    given = tables(one_image([box(4, PLACE)], []), tmp_path)
    with pytest.raises(UsageError, match=r"overlaps are known from 0.1 on, not from 0.05"):
        confusion_matrix(*given, iou=0.05)
    with pytest.raises(UsageError, match=r"nothing was matched in all areas at an IoU of 0.3"):
        confusion_matrix(*given, iou=0.3)
