"""Parts of a match table against pycocotools evaluating just these."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchsuite.columns.coco_results import read_coco_results
from benchsuite.errors import ContractError
from benchsuite_plugins.datasets.coco_format import CocoFormatDataset
from benchsuite_plugins.metrics import coco_ap
from benchsuite_plugins.metrics.coco_protocol import detection_protocol
from benchsuite_plugins.metrics.coco_summary import summary
from benchsuite_plugins.metrics.match_selection import select
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.precision_recall import PrecisionRecall, accumulate


@pytest.fixture(scope="module")
def files(shared_data: Path) -> tuple[Path, Path]:
    expected = json.loads((shared_data / "EXPECTED.json").read_text())["coco_val2014_100"]
    return shared_data / expected["ground_truth"], shared_data / expected["bbox"]["detections"]


@pytest.fixture(scope="module")
def matches(files: tuple[Path, Path]) -> pa.Table:
    dataset = CocoFormatDataset(files[0], None)
    predictions = read_coco_results(files[1], dataset.images(), dataset.categories, "bbox")
    return coco_ap.bbox().match(dataset.truth("bbox"), predictions)


@pytest.fixture(scope="module")
def annotations(files: tuple[Path, Path]) -> tuple[COCO, COCO]:
    with contextlib.redirect_stdout(io.StringIO()):
        truths = COCO(files[0])
        return truths, truths.loadRes(str(files[1]))


def official(annotations: tuple[COCO, COCO], **parameters: Any) -> dict[str, Any]:
    evaluation = COCOeval(*annotations, "bbox")
    for name, value in parameters.items():
        setattr(evaluation.params, name, value)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval


def assert_same(ours: PrecisionRecall, theirs: dict[str, Any]) -> None:
    assert (ours.precision > 0).any()
    for name in ("precision", "recall", "scores"):
        np.testing.assert_array_equal(getattr(ours, name), theirs[name], strict=True)


PROTOCOL = detection_protocol("bbox")


@pytest.mark.parametrize("category_ids", [[1], [62, 1, 44, 3]])
def test_categories(matches: pa.Table, annotations: Any, category_ids: list[int]) -> None:
    part = select(matches, category_ids=category_ids)
    assert_same(accumulate(part), official(annotations, catIds=category_ids))


@pytest.mark.parametrize("numbers", [(5,), (1, 2, 3, 4, 100), (0, 7)])
def test_max_detections(matches: pa.Table, annotations: Any, numbers: tuple[int, ...]) -> None:
    part = select(matches, max_detections=numbers)
    assert_same(accumulate(part), official(annotations, maxDets=list(numbers)))


def test_areas(matches: pa.Table, annotations: Any) -> None:
    part = select(matches, areas=["large", "small"])
    ranges = [list(PROTOCOL.area_ranges[i]) for i in (1, 3)]
    theirs = official(annotations, areaRng=ranges, areaRngLbl=["small", "large"])
    assert_same(accumulate(part), theirs)


@pytest.mark.parametrize("places", [[0], [5, 9], list(range(1, 10))])
def test_iou_thresholds(matches: pa.Table, annotations: Any, places: list[int]) -> None:
    thresholds = [PROTOCOL.iou_thresholds[place] for place in places]
    part = select(matches, iou_thresholds=thresholds)
    assert part.schema.field("matched_all").type == (pa.uint8() if len(places) < 9 else pa.uint16())
    assert_same(accumulate(part), official(annotations, iouThrs=np.array(thresholds)))


def test_several_at_once_and_shuffled(matches: pa.Table, annotations: Any) -> None:
    shuffled = matches.take(pa.array(np.random.default_rng(0).permutation(len(matches))))
    part = select(
        select(shuffled, areas=["all"], max_detections=[3, 50]),
        category_ids=[1, 3],
        iou_thresholds=[0.5],
    )
    parameters = {"areaRng": [[0, 1e10]], "areaRngLbl": ["all"], "maxDets": [3, 50]}
    theirs = official(annotations, catIds=[1, 3], iouThrs=np.array([0.5]), **parameters)
    assert_same(accumulate(part), theirs)


def test_values_that_can_still_be_told(matches: pa.Table) -> None:
    fewer = select(matches, max_detections=[10, 50], areas=["all", "small"], iou_thresholds=[0.5])
    values = {value.name: value for value in MatchHeader.of(fewer).protocol.values}
    assert list(values) == ["AP", "AP50", "APs", "AR10", "AR50", "ARs"]
    assert {value.max_detections for name, value in values.items() if name != "AR10"} == {50}
    curves = accumulate(fewer)
    numbers = summary(curves)
    assert (
        numbers["AP"]
        == numbers["AP50"]
        == pytest.approx(curves.precision[..., 0, 1][curves.precision[..., 0, 1] > -1].mean())
    )
    # AR10 is there already: the largest number takes no second one's name.
    assert [v.name for v in MatchHeader.of(select(matches, max_detections=[10])).protocol.values][
        6:
    ] == ["AR10", "ARs", "ARm", "ARl"]


def test_curves_of_a_part_without_the_usual_ones(matches: pa.Table) -> None:
    lowest = PROTOCOL.iou_thresholds[1]
    part = select(matches, areas=["small", "large"], iou_thresholds=PROTOCOL.iou_thresholds[1:3])
    scores = coco_ap.bbox().accumulate(part)
    curves = scores.curves.to_pylist()
    assert {(curve["area"], curve["iou"]) for curve in curves} == {("small", lowest)}
    assert list(scores.metrics) == ["APs", "APl", "ARs", "ARl"]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"category_ids": [1, 1234]}, "no category 1234"),
        ({"areas": ["tiny"]}, "no area range 'tiny'; it was made with 'all', 'small'"),
        ({"iou_thresholds": [0.51]}, "no IoU threshold 0.51"),
        ({"max_detections": [10, 101]}, "the best 100 detections .* 10, 101 cannot be counted"),
        ({"max_detections": []}, "none cannot be counted"),
    ],
)
def test_what_the_table_has_not(matches: pa.Table, part: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        select(matches, **part)
