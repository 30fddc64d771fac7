"""AP of rotated boxes, against pycocotools' protocol with rotated overlaps put in."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchsuite.errors import InputError, UsageError
from benchsuite.protocols import Metric, Predictions, ResampledMetric, Truth
from benchsuite.records import ImageRecord
from benchsuite.specs import Category
from benchsuite_kernels.columns.rotated_iou import rotated_iou
from benchsuite_plugins.formats.label_tables import predictions_of, truth_of
from benchsuite_plugins.metrics.rotated_ap import RotatedOptions, create

RECORDS = tuple(ImageRecord(number, f"{number}.png", 100, 100) for number in (2, 5))
CATEGORIES = (Category(3, "plane"), Category(8, "ship"))


def sides(rows, scores=None, difficult=None):
    """Truth, or with scores predictions, of rows (image, category, rotated box)."""
    images, labels, boxes = zip(*rows) if rows else ((), (), ())
    rotated = np.array(boxes, np.float64).reshape(-1, 5)
    upright = np.column_stack([rotated[:, :2] - rotated[:, 2:4] / 2, rotated[:, 2:4]])
    if scores is None:
        return truth_of(
            RECORDS, CATEGORIES, images, labels, upright,
            rotated=rotated, difficult=difficult, source="truth",
        )  # fmt: skip
    return predictions_of(
        RECORDS, CATEGORIES, images, labels, upright, scores, rotated=rotated, source="found"
    )


def score(truth: Truth, predictions: Predictions) -> dict[str, float]:
    metric = create(RotatedOptions())
    return dict(metric.accumulate(metric.match(truth, predictions)).metrics)


class RotatedCOCOeval(COCOeval):
    """pycocotools' evaluation, the overlaps computed of rotated boxes."""

    def computeIoU(self, imgId, catId):
        truths, found = self._gts[imgId, catId], self._dts[imgId, catId]
        if not truths or not found:
            return []
        order = np.argsort([-each["score"] for each in found], kind="mergesort")
        boxes = [
            np.array([each["rotated"] for each in side], np.float64) for side in (found, truths)
        ]
        boxes[0] = boxes[0][order][: self.params.maxDets[-1]]
        pairs = rotated_iou(
            np.ascontiguousarray(boxes[0]),
            boxes[1],
            detection_groups=np.zeros(len(boxes[0]), np.int64),
            truth_groups=np.zeros(len(boxes[1]), np.int64),
            crowd=np.array([each["iscrowd"] for each in truths], np.bool_),
            least=1e-300,
            threads=1,
        )
        overlaps = np.zeros((len(boxes[0]), len(boxes[1])))
        rows = np.repeat(np.arange(len(boxes[0])), np.diff(pairs.starts))
        overlaps[rows, pairs.truths] = pairs.values
        return overlaps


def official(truths, crowd, found, scores) -> np.ndarray:
    def record(place, row, **fields):
        image, label, box = row
        return {
            "id": place + 1,
            "image_id": RECORDS[image].id,
            "category_id": CATEGORIES[label].id,
            "bbox": [0, 0, box[2], box[3]],
            "area": box[2] * box[3],
            "rotated": box,
            **fields,
        }

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": each.id} for each in RECORDS],
            "categories": [{"id": each.id, "name": each.name} for each in CATEGORIES],
            "annotations": [
                record(place, row, iscrowd=int(crowd[place])) for place, row in enumerate(truths)
            ],
        }
        coco.createIndex()
        results = COCO()
        results.dataset = {
            **coco.dataset,
            "annotations": [
                record(place, row, score=scores[place], iscrowd=0)
                for place, row in enumerate(found)
            ],
        }
        results.createIndex()
        evaluator = RotatedCOCOeval(coco, results, "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return evaluator.stats


CENTRE = st.floats(0, 30)
SIDE = st.one_of(st.floats(1, 40), st.floats(80, 200))
BOX = st.tuples(CENTRE, CENTRE, SIDE, SIDE, st.sampled_from([0.0, 10, 45, 90, 133]))
ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), BOX), max_size=8)


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS, st.data())
def test_the_protocol_is_pycocotools_to_the_bit(truths, extra, data):
    crowd = data.draw(st.lists(st.booleans(), min_size=len(truths), max_size=len(truths)))
    # Found: the truths themselves, turned a little, and others.
    turned = [(i, c, (*box[:4], box[4] + data.draw(st.floats(-8, 8)))) for i, c, box in truths]
    found = turned + extra
    values = st.one_of(st.sampled_from([0.25, 0.5]), st.floats(0, 1))
    scores = data.draw(st.lists(values, min_size=len(found), max_size=len(found)))
    truth = sides(truths)
    place = truth.instances.schema.get_field_index("iscrowd")
    flags = pa.array(crowd, pa.bool_())
    instances = truth.instances.set_column(place, truth.instances.schema.field(place), flags)
    truth = Truth(truth.images, instances, truth.categories, source="truth")
    ours = score(truth, sides(found, scores))
    assert list(ours.values()) == official(truths, crowd, found, scores).tolist()


def test_a_turned_box_is_found_only_as_it_lies():
    long = (50.0, 50.0, 40.0, 10.0, 30.0)
    truth = sides([(0, 0, long)])
    assert score(truth, sides([(0, 0, long)], [0.5]))["AP"] == pytest.approx(1)
    assert score(truth, sides([(0, 0, (*long[:4], 120.0))], [0.5]))["AP"] == 0
    assert score(truth, sides([(0, 0, (50, 50, 10, 40, 120.0))], [0.5]))["AP"] == pytest.approx(1)


def test_upright_boxes_score_as_boxes():
    truth, found = sides([(0, 0, (50, 50, 40, 10, 0))]), sides([(0, 0, (52, 50, 40, 10, 0))], [1])

    def without_turned(side):
        place = side.instances.schema.get_field_index("rotated_box")
        field = side.instances.schema.field(place)
        empty = pa.nulls(len(side.instances), field.type)
        instances = side.instances.set_column(place, field, empty)
        if isinstance(side, Truth):
            return Truth(side.images, instances, side.categories, source=side.source)
        return Predictions(side.images, instances, side.source)

    # 38 of 42: above nine of the ten thresholds.
    assert score(truth, found)["AP"] == pytest.approx(0.9)
    assert score(without_turned(truth), without_turned(found)) == score(truth, found)


def test_difficult_objects_are_passed_over():
    boxes = [(0, 0, (20, 20, 10, 10, 5)), (0, 0, (70, 70, 10, 10, 5))]
    truth = sides(boxes, difficult=[True, False])
    found = sides([boxes[0], boxes[1]], [0.9, 0.5])
    assert score(truth, found)["AP"] == pytest.approx(1)
    assert score(truth, sides([boxes[0]], [0.9]))["AP"] == 0


def test_nothing_found_and_nothing_to_find():
    box = (20, 20, 10, 10, 5)
    assert score(sides([(0, 0, box)]), sides([], []))["AP"] == 0
    assert score(sides([]), sides([(0, 0, box)], [1]))["AP"] == -1


@settings(max_examples=20, deadline=None)
@given(ROWS, ROWS)
def test_shards_merge_to_the_bit_and_resampling_is_accumulating(truths, found):
    metric = create(RotatedOptions())
    assert isinstance(metric, Metric)
    assert isinstance(metric, ResampledMetric)
    truth, predictions = sides(truths), sides(found, np.linspace(0, 1, len(found)))
    whole = metric.match(truth, predictions)
    shards = []
    for number in (5, 2):
        parts = [
            table.filter(
                pa.array([each == number for each in table["image_id"].to_pylist()], pa.bool_())
            )
            for table in (predictions.images, predictions.instances)
        ]
        shards.append(metric.match(truth, Predictions(*parts)))
    merged = metric.accumulate(pa.concat_tables(shards))
    assert merged.metrics == metric.accumulate(whole).metrics
    weights = np.array([[1.0, 1], [3, 0], [0.5, 2]])
    resampled = metric.resample(whole, np.array([2, 5]), weights)
    for place, (first, second) in enumerate(weights):
        expected = metric.accumulate(whole, {2: first, 5: second}).metrics
        assert {name: values[place] for name, values in resampled.items()} == expected


def test_rows_that_cannot_be_scored():
    metric = create(RotatedOptions())
    truth, found = sides([(0, 0, (5, 5, 4, 4, 0))]), sides([(0, 0, (5, 5, 4, 4, 0))], [1])
    with pytest.raises(InputError, match=r"found, detections\[0\]: rotated_box has a negative"):
        metric.match(truth, sides([(0, 0, (5, 5, -4, 4, 0))], [1]))
    with pytest.raises(InputError, match=r"truth, annotation id 1: rotated_box holds a number"):
        metric.match(sides([(0, 0, (5, 5, 4, 4, np.nan))]), found)
    other = Truth(truth.images, truth.instances, (Category(8, "ship"),), source="truth")
    with pytest.raises(InputError, match=r"detections\[0\]: category_id 3 is not among"):
        metric.match(other, found)
    images = Truth(truth.images.slice(1), truth.instances.slice(1), truth.categories, source="t")
    with pytest.raises(InputError, match="image_id 2 is not among the images of t"):
        metric.match(images, found)
    nothing = found.instances.drop_columns(["bbox", "rotated_box"])
    for name in ("bbox", "rotated_box"):
        field = found.instances.schema.field(name)
        nothing = nothing.append_column(field, pa.nulls(1, field.type))
    with pytest.raises(InputError, match=r"detections\[0\]: rotated_box is missing"):
        metric.match(truth, Predictions(found.images, nothing, "found"))


def test_options_are_cocos():
    boxes = [(0, 0, (10.0 * place, 5, 8, 8, 0)) for place in range(1, 5)]
    metric = create(RotatedOptions(iou_thresholds=(0.3,), max_detections=(1, 2), areas={}))
    scores = metric.accumulate(metric.match(sides(boxes), sides(boxes, [0.9, 0.8, 0.7, 0.6])))
    assert scores.metrics == pytest.approx({"AP": 51 / 101, "AR1": 0.25, "AR2": 0.5})
    with pytest.raises(UsageError, match="max_detections"):
        create(RotatedOptions(max_detections=(2, 1)))
