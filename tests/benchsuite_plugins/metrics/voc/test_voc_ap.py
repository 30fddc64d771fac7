"""Pascal VOC's AP, against values worked out by hand and against a plain program.

The program goes through the detections one by one, as the challenge's development kit does
(``VOCevaldet.m``) and Detectron2's evaluator after it, in plain Python floats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite.errors import InputError, UsageError
from benchsuite.protocols import Metric, Predictions, ResampledMetric, Truth
from benchsuite.records import ImageRecord
from benchsuite.specs import Category
from benchsuite_plugins.formats.label_tables import predictions_of, truth_of
from benchsuite_plugins.metrics.voc.metric import create
from benchsuite_plugins.metrics.voc.options import IOU_THRESHOLDS, VocOptions
from benchsuite_plugins.metrics.voc.written_numbers import decimals, plus_one

CATEGORIES = (Category(3, "cat"), Category(8, "dog"))
RECORDS = tuple(ImageRecord(number, f"{number}.jpg", 100, 100) for number in (2, 5, 9))


@dataclass(frozen=True)
class Object:
    """A truth, or with a score a detection; ``box`` is x, y, width, height."""

    image: int
    category: int
    box: tuple[float, float, float, float]
    difficult: bool = False
    score: float = 0.0


def truth(*objects: Object, records=RECORDS, attributes=None) -> Truth:
    return truth_of(
        records,
        CATEGORIES,
        [each.image for each in objects],
        [each.category for each in objects],
        [each.box for each in objects],
        difficult=[each.difficult for each in objects],
        attributes=attributes,
        source="truth",
    )


def detections(*objects: Object, records=RECORDS) -> Predictions:
    return predictions_of(
        records,
        CATEGORIES,
        [each.image for each in objects],
        [each.category for each in objects],
        [each.box for each in objects],
        [each.score for each in objects],
        source="predictions",
    )


def score(truths: Truth, predictions: Predictions, **options) -> dict[str, float]:
    metric = create(VocOptions(**options))
    return dict(metric.accumulate(metric.match(truths, predictions)).metrics)


# --- by hand ----------------------------------------------------------------------------------

BOX = (0.0, 0.0, 10.0, 10.0)
FAR = (50.0, 50.0, 10.0, 10.0)


def test_one_right_and_two_wrong():
    # By score: wrong, right, wrong, and one of two truths is never found.
    found = detections(
        Object(0, 0, BOX, score=0.5), Object(0, 0, FAR, score=0.9), Object(1, 0, FAR, score=0.1)
    )
    truths = truth(Object(0, 0, BOX), Object(1, 0, BOX))
    # Precision 1/2 up to recall 1/2, then 0: six of the eleven recalls are reached.
    eleven = score(truths, found, interpolation="11-point")
    assert eleven == pytest.approx({"AP": 3 / 11, "AP50": 3 / 11, "AP75": 3 / 11}, rel=1e-14)
    assert score(truths, found, interpolation="every-point")["AP50"] == 0.25


def test_eleven_points_need_exactly_their_recall():
    # Ten truths, three found first: recall 0.3, which is below the fourth point, 0.1 * 3.
    truths = truth(*(Object(0, 0, (20.0 * place, 0, 10, 10)) for place in range(10)))
    found = detections(*(Object(0, 0, (20.0 * place, 0, 10, 10), score=1) for place in range(3)))
    assert np.arange(0.0, 1.1, 0.1)[3] > 0.3
    assert score(truths, found, interpolation="11-point")["AP50"] == pytest.approx(3 / 11)


def test_the_overlap_counts_the_last_pixel():
    # In pixels counted from 1, 1 to 10 and 6 to 15: 5 x 10 shared with the last pixel, of 150.
    # As continuous boxes they would share 5 x 10 of 150 too, so widths decide: 9 + 1.
    truths = truth(Object(0, 0, (0, 0, 10, 10)))
    narrow = detections(Object(0, 0, (0, 0, 10, 4.5), score=1))
    # Rows 1 to 4.5: 4.5 of 10 rows.
    assert score(truths, narrow, iou_thresholds=(0.45,)) == {"AP": 1.0}
    assert score(truths, narrow, iou_thresholds=(0.46,)) == {"AP": 0.0}
    beside = detections(Object(0, 0, (10, 0, 10, 10), score=1))
    assert score(truths, beside, iou_thresholds=(0.01,)) == {"AP": 0.0}


def test_an_overlap_of_the_threshold_is_enough_for_the_devkit_alone():
    # Half of the box: exactly 0.5.
    truths = truth(Object(0, 0, BOX))
    found = detections(Object(0, 0, (0, 0, 10, 5), score=1))
    assert score(truths, found, convention="devkit")["AP50"] == 1
    assert score(truths, found, convention="detectron2")["AP50"] == 0


def test_only_the_best_truth_counts_though_it_is_found_already():
    # Both detections overlap the first truth most; the second truth, within reach too, stays.
    truths = truth(Object(0, 0, (0, 0, 10, 10)), Object(0, 0, (0, 3, 10, 10)))
    found = detections(
        Object(0, 0, (0, 0, 10, 10), score=0.9), Object(0, 0, (0, 1, 10, 10), score=0.8)
    )
    assert score(truths, found, interpolation="every-point")["AP50"] == 0.5


def test_the_first_of_equally_good_truths_counts():
    difficult_first = truth(Object(0, 0, BOX, difficult=True), Object(0, 0, BOX))
    difficult_last = truth(Object(0, 0, BOX), Object(0, 0, BOX, difficult=True))
    found = detections(Object(0, 0, BOX, score=0.9), Object(0, 0, FAR, score=0.8))
    assert score(difficult_first, found)["AP50"] == 0
    assert score(difficult_last, found)["AP50"] == 1


def test_difficult_objects_are_neither_hit_nor_miss():
    # A second detection of the difficult object is passed over too; the category without any
    # other truth has no AP.
    truths = truth(
        Object(0, 0, FAR, difficult=True), Object(0, 0, BOX), Object(1, 1, FAR, difficult=True)
    )
    found = detections(
        Object(0, 0, FAR, score=0.9),
        Object(0, 0, FAR, score=0.8),
        Object(0, 0, BOX, score=0.7),
        Object(1, 1, FAR, score=0.9),
    )
    metric = create(VocOptions())
    scores = metric.accumulate(metric.match(truths, found))
    assert scores.metrics["AP"] == 1
    per_class = scores.per_class.to_pylist()
    assert {(row["category_id"], row["metric"]): row["value"] for row in per_class} == {
        (3, "AP"): 1.0, (3, "AP50"): 1.0, (3, "AP75"): 1.0,
        (8, "AP"): None, (8, "AP50"): None, (8, "AP75"): None,
    }  # fmt: skip


def test_ties_are_counted_in_file_order():
    truths = truth(Object(0, 0, BOX))
    right, wrong = Object(0, 0, BOX, score=0.5), Object(2, 0, FAR, score=0.5)
    assert score(truths, detections(right, wrong), interpolation="every-point")["AP50"] == 1
    assert score(truths, detections(wrong, right), interpolation="every-point")["AP50"] == 0.5


def test_detectron2_ties_scores_that_differ_in_the_fourth_decimal():
    truths = truth(Object(0, 0, BOX))
    found = detections(Object(0, 0, FAR, score=0.5001), Object(0, 0, BOX, score=0.5004))
    assert score(truths, found)["AP50"] == 1
    assert score(truths, found, convention="detectron2")["AP50"] == 0.5


def test_detectron2_moves_boxes_to_tenths_of_a_pixel():
    # 4.04 rows of ten, plus the rounding: 4.0, below 0.402 but not below 0.4.
    truths = truth(Object(0, 0, BOX))
    found = detections(Object(0, 0, (0, 0, 10, 4.04), score=1))
    assert score(truths, found, iou_thresholds=(0.402,)) == {"AP": 1}
    assert score(truths, found, iou_thresholds=(0.402,), convention="detectron2") == {"AP": 0}


def test_the_challenge_says_how_precisions_are_read_off():
    found = detections(Object(0, 0, BOX, score=0.9))
    for attributes, value in (
        (['{"challenge": "VOC2007"}'] * 3, 6 / 11),
        (['{"challenge": "VOC2012"}'] * 3, 0.5),
        (['{"challenge": "VOC2007"}', '{"challenge": "VOC2012"}', None], 0.5),
        (['{"challenge": "VOC2007"}', '{"challenge": "VOC2012"}', "[]"], 0.5),
        (None, 0.5),
    ):
        truths = truth(Object(0, 0, BOX), Object(0, 0, FAR), attributes=attributes)
        assert score(truths, found)["AP50"] == pytest.approx(value, rel=1e-14)


def test_nothing_found_and_nothing_to_find():
    assert score(truth(Object(0, 0, BOX)), detections()) == {"AP": 0, "AP50": 0, "AP75": 0}
    assert score(truth(), detections(Object(0, 0, BOX, score=1))) == {
        "AP": -1, "AP50": -1, "AP75": -1,
    }  # fmt: skip
    assert score(truth(), detections()) == {"AP": -1, "AP50": -1, "AP75": -1}


def test_only_images_that_were_run_count():
    truths = truth(Object(0, 0, BOX), Object(1, 0, BOX))
    run = detections(Object(0, 0, BOX, score=1), records=RECORDS[:1])
    assert score(truths, run, interpolation="every-point")["AP50"] == 1


def test_curves_are_those_at_50_and_75():
    metric = create(VocOptions(interpolation="11-point"))
    truths = truth(Object(0, 0, BOX), Object(0, 0, FAR))
    found = detections(Object(0, 0, BOX, score=0.75))
    curves = metric.accumulate(metric.match(truths, found)).curves.to_pylist()
    assert [(row["category_id"], row["iou"]) for row in curves] == [(3, 0.5), (3, 0.75)]
    assert curves[0]["recall"] == np.arange(0.0, 1.1, 0.1).tolist()
    assert curves[0]["precision"] == [1.0] * 6 + [0.0] * 5
    assert curves[0]["score"] == [0.75] * 6 + [0.0] * 5


# --- against the plain program ----------------------------------------------------------------


def plain_overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    width = max(min(a[2], b[2]) - max(a[0], b[0]) + 1.0, 0.0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]) + 1.0, 0.0)
    shared = width * height
    own = (a[2] - a[0] + 1.0) * (a[3] - a[1] + 1.0)
    return shared / (own + (b[2] - b[0] + 1.0) * (b[3] - b[1] + 1.0) - shared)


def plain_edges(box: tuple[float, ...]) -> tuple[float, ...]:
    return box[0] + 1, box[1] + 1, box[0] + box[2], box[1] + box[3]


def plain_ap(
    truths: list[Object], found: list[Object], threshold: float, eleven: bool, detectron2: bool
) -> float | None:
    """AP of one category."""
    boxes: dict[int, list[Object]] = {}
    for each in truths:
        boxes.setdefault(each.image, []).append(each)
    taken = {image: [False] * len(those) for image, those in boxes.items()}
    wanted = sum(not each.difficult for each in truths)
    if not wanted:
        return None
    lines = []
    for each in found:
        left, top, right, bottom = plain_edges(each.box)
        if detectron2:
            line = f"{each.score:.3f} {left:.1f} {top:.1f} {right:.1f} {bottom:.1f}"
            lines.append((each.image, *map(float, line.split())))
        else:
            lines.append((each.image, each.score, left, top, right, bottom))
    lines.sort(key=lambda line: -line[1])
    hits, misses = [], []
    for image, _, *edges in lines:
        overlaps = [plain_overlap(edges, plain_edges(t.box)) for t in boxes.get(image, ())]
        best = max(overlaps, default=-np.inf)
        hit = miss = 0.0
        if best > threshold or (best == threshold and not detectron2):
            place = overlaps.index(best)
            if not boxes[image][place].difficult:
                hit, miss = float(not taken[image][place]), float(taken[image][place])
                taken[image][place] = True
        else:
            miss = 1.0
        hits.append(hit)
        misses.append(miss)
    right, wrong = np.cumsum(hits), np.cumsum(misses)
    recall = right / float(wanted)
    precision = right / np.maximum(right + wrong, np.finfo(np.float64).eps)
    if eleven:
        ap = 0.0
        for point in np.arange(0.0, 1.1, 0.1):
            reached = precision[recall >= point]
            ap = ap + (reached.max() if len(reached) else 0.0) / 11.0
        return float(ap)
    recalls = np.concatenate(([0.0], recall, [1.0]))
    precisions = np.concatenate(([0.0], precision, [0.0]))
    for place in range(len(precisions) - 1, 0, -1):
        precisions[place - 1] = max(precisions[place - 1], precisions[place])
    steps = np.where(recalls[1:] != recalls[:-1])[0]
    return float(np.sum((recalls[steps + 1] - recalls[steps]) * precisions[steps + 1]))


SIDE = st.one_of(st.integers(1, 12).map(float), st.floats(0.5, 12))
CORNER = st.one_of(st.integers(0, 8).map(float), st.floats(0, 8))
BOXES = st.tuples(CORNER, CORNER, SIDE, SIDE)
TRUTHS = st.lists(
    st.builds(Object, st.integers(0, 2), st.integers(0, 1), BOXES, st.booleans()), max_size=10
)
SCORE = st.one_of(st.sampled_from([0.25, 0.5, 0.75]), st.floats(0, 1))
FOUND = st.lists(
    st.builds(Object, st.integers(0, 2), st.integers(0, 1), BOXES, st.just(False), SCORE),
    max_size=15,
)


@settings(max_examples=3 * settings.default.max_examples, deadline=None)
@given(TRUTHS, FOUND, st.booleans(), st.booleans())
def test_equal_to_the_plain_program_to_the_bit(truths, found, eleven, detectron2):
    scored = score(
        truth(*truths),
        detections(*found),
        interpolation="11-point" if eleven else "every-point",
        convention="detectron2" if detectron2 else "devkit",
    )
    by_threshold = []
    for threshold in IOU_THRESHOLDS:
        of_categories = [
            plain_ap(
                [each for each in truths if each.category == category],
                [each for each in found if each.category == category],
                threshold,
                eleven,
                detectron2,
            )
            for category in range(2)
        ]
        there = [value for value in of_categories if value is not None]
        by_threshold.append(np.mean(there) if there else -1.0)
    assert scored == {
        "AP": np.mean(by_threshold),
        "AP50": by_threshold[0],
        "AP75": by_threshold[5],
    }


# --- tables: merged, weighted, resampled ------------------------------------------------------


@settings(max_examples=settings.default.max_examples, deadline=None)
@given(TRUTHS, FOUND, st.permutations([0, 1, 2]))
def test_shards_merge_to_the_bit(truths, found, order):
    metric = create(VocOptions())
    made, predicted = truth(*truths), detections(*found)
    whole = metric.match(made, predicted)
    shards = []
    for row in order:
        of_image = [
            number == RECORDS[row].id for number in predicted.images["image_id"].to_pylist()
        ]
        kept = [number == RECORDS[row].id for number in predicted.instances["image_id"].to_pylist()]
        part = Predictions(
            predicted.images.filter(pa.array(of_image)),
            predicted.instances.filter(pa.array(kept, pa.bool_())),
        )
        shards.append(metric.match(made, part))
    merged = metric.accumulate(pa.concat_tables(shards))
    expected = metric.accumulate(whole)
    assert merged.metrics == expected.metrics
    assert merged.per_class.equals(expected.per_class)
    assert merged.curves.equals(expected.curves)


@settings(max_examples=settings.default.max_examples, deadline=None)
@given(
    TRUTHS,
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), BOXES, SCORE), max_size=12),
    st.lists(st.integers(0, 3), min_size=3, max_size=3),
    st.booleans(),
)
def test_a_weight_counts_an_image_that_often(truths, rows, copies, eleven):
    """Against a set in which each image stands so many times, its copies next to each other."""
    # Images in the order of their rows, as a model writes them.
    found = [
        Object(image, category, box, score=value)
        for image, category, box, value in sorted(rows, key=lambda row: row[0])
    ]
    records = [
        ImageRecord(10 * record.id + copy, f"{record.id}_{copy}.jpg", 9, 9)
        for record, count in zip(RECORDS, copies)
        for copy in range(count)
    ]
    place = {record.id: row for row, record in enumerate(records)}

    def copied(objects):
        return [
            Object(place[10 * record.id + copy], e.category, e.box, e.difficult, e.score)
            for row, record in enumerate(RECORDS)
            for copy in range(copies[row])
            for e in objects
            if e.image == row
        ]

    metric = create(VocOptions(interpolation="11-point" if eleven else "every-point"))
    weights = {record.id: float(count) for record, count in zip(RECORDS, copies)}
    matches = metric.match(truth(*truths), detections(*found))
    weighted = metric.accumulate(matches, weights)
    expanded = metric.accumulate(
        metric.match(
            truth(*copied(truths), records=records), detections(*copied(found), records=records)
        )
    )
    assert weighted.metrics == expanded.metrics
    assert weighted.per_class.equals(expanded.per_class)


@settings(max_examples=40, deadline=None)
@given(TRUTHS, FOUND, st.lists(st.lists(st.floats(0, 4), min_size=3, max_size=3), max_size=4))
def test_resampling_is_accumulating_with_weights(truths, found, weights):
    metric = create(VocOptions())
    matches = metric.match(truth(*truths), detections(*found))
    ids = np.array([9, 2, 5])
    rows = np.array([[1.0, 1, 1], *weights])
    resampled = metric.resample(matches, ids, rows)
    for place, row in enumerate(rows):
        expected = metric.accumulate(matches, dict(zip(ids.tolist(), row.tolist()))).metrics
        assert {name: values[place] for name, values in resampled.items()} == expected
    assert {name: values[0] for name, values in resampled.items()} == dict(
        metric.accumulate(matches).metrics
    )


# --- numbers as they are written --------------------------------------------------------------


@given(st.lists(st.floats(-1e6, 1e6)), st.integers(0, 4))
def test_decimals_are_those_of_the_text(values, places):
    array = np.array(values, np.float64)
    assert decimals(array, places).tolist() == [float(f"{value:.{places}f}") for value in values]


def test_decimals_of_values_in_the_middle():
    values = np.array([0.0005, 0.0015, 0.1235, 2.5, 0.25, 0.35, 1e300])
    for places in (0, 1, 3):
        expected = [float(f"{value:.{places}f}") for value in values]
        assert decimals(values, places).tolist() == expected


def test_one_is_added_as_to_a_float32():
    single = float(np.float32(0.1))
    assert plus_one(np.array([single, 0.1])).tolist() == [float(np.float32(1.1)), 1.1]


# --- what is refused --------------------------------------------------------------------------


def test_contract():
    metric = create(VocOptions())
    assert isinstance(metric, Metric)
    assert isinstance(metric, ResampledMetric)


@pytest.mark.parametrize("thresholds", [(), (0.0,), (0.5, 1.5), (0.5,) * 65])
def test_thresholds_that_make_no_sense(thresholds):
    with pytest.raises(UsageError, match=r"metric\.iou_thresholds"):
        create(VocOptions(iou_thresholds=thresholds))


def test_rows_that_cannot_be_scored():
    metric = create(VocOptions())
    made, found = truth(Object(0, 0, BOX)), detections(Object(0, 0, BOX, score=1))
    strange = ImageRecord(77, "77.jpg", 9, 9)
    with pytest.raises(InputError, match="image_id 77 is not among the images of truth"):
        metric.match(made, detections(records=(strange,)))
    place = found.instances.schema.get_field_index("bbox")
    field = found.instances.schema.field(place)
    without = found.instances.set_column(place, field, pa.nulls(1, field.type))
    with pytest.raises(InputError, match=r"predictions, detections\[0\]: bbox is missing"):
        metric.match(made, Predictions(found.images, without, "predictions"))
    other = Truth(made.images, made.instances, (Category(8, "dog"),), source="truth")
    with pytest.raises(InputError, match=r"truth, annotation id 1: category_id 3 is not among"):
        metric.match(other, found)
