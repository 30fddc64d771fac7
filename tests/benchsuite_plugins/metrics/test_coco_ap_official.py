"""COCO AP against pycocotools itself, to the bit."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchsuite.columns.coco_results import read_coco_results
from benchsuite.columns.person_keypoints import PERSON_KEYPOINTS
from benchsuite.columns.truth import build_truth
from benchsuite.protocols import Metric, Predictions, Truth
from benchsuite.records import ImageRecord
from benchsuite.specs import Category, KeypointLayout
from benchsuite_kernels.columns import rle
from benchsuite_plugins.datasets.coco_format import CocoFormatDataset
from benchsuite_plugins.metrics import coco_ap
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.precision_recall import PrecisionRecall, accumulate

SIDE = 128
"""Height and width of the generated images: room for objects of all three sizes."""

LAYOUT = KeypointLayout(("a", "b", "c"), (0.05, 0.1, 0.3))

METRICS = {"bbox": coco_ap.bbox, "segm": coco_ap.segm, "keypoints": coco_ap.keypoints}

Case = dict[str, Any]

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def official(case: Case, layout: KeypointLayout = LAYOUT) -> COCOeval:
    """pycocotools' evaluation of a case."""
    truth, results = copy.deepcopy(case["truth"]), copy.deepcopy(case["results"])
    with contextlib.redirect_stdout(io.StringIO()):
        truths = COCO()
        truths.dataset = truth
        truths.createIndex()
        if results:
            detections = truths.loadRes(results)
        else:
            # loadRes fails on an empty list.
            detections = COCO()
            detections.dataset = {**truth, "annotations": []}
            detections.createIndex()
        evaluation = COCOeval(truths, detections, case["task"])
        if case["task"] == "keypoints":
            evaluation.params.kpt_oks_sigmas = np.array(layout.sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


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


def assert_same(ours: PrecisionRecall, theirs: COCOeval) -> None:
    for name in ("precision", "recall", "scores"):
        np.testing.assert_array_equal(getattr(ours, name), theirs.eval[name], strict=True)


def matched(case: Case) -> tuple[Metric, pa.Table]:
    metric = METRICS[case["task"]]()
    return metric, metric.match(*tables(case))


# --- generated cases ------------------------------------------------------------------------------

IDS = st.sampled_from([0, 1, 2, 3, 70, 2**31, 2**53 + 2, -4])
SCORES = st.one_of(
    st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, -1.0, 1e-300]), st.floats(0, 1, width=32)
)
PLACES = st.sampled_from([0, 4, 8, 16, 20])
LENGTHS = st.sampled_from([8, 10, 16, 32, 33, 96, 100])
AREAS = st.sampled_from([0, 100, 1023.9999, 1024, 1024.5, 9216, 9217, 1e10, 2e10])


@st.composite
def boxes(draw: st.DrawFn) -> list[float]:
    return [draw(PLACES), draw(PLACES), draw(LENGTHS), draw(LENGTHS)]


def mask_of(box: list[float]) -> dict[str, Any]:
    x, y, width, height = (int(side) for side in box)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[y : y + height, x : x + width] = 1
    return {"size": [SIDE, SIDE], "counts": rle.encode(mask).decode()}


def polygon_of(box: list[float]) -> list[list[float]]:
    x, y, width, height = box
    return [[x, y, x + width, y, x + width, y + height, x + width / 2, y + height, x, y + height]]


def runs_of(box: list[float]) -> dict[str, Any]:
    x, y, width, height = (int(side) for side in box)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[y : y + height, x : x + width] = 1
    flat = np.concatenate([[2], mask.ravel(order="F"), [2]])
    changes = np.flatnonzero(np.diff(flat))
    runs = np.diff(changes).tolist()
    return {"size": [SIDE, SIDE], "counts": runs if not mask[0, 0] else [0, *runs]}


@st.composite
def annotations(draw: st.DrawFn, task: str, images: list[int], categories: list[int]) -> Case:
    box = draw(boxes())
    annotation = {
        "image_id": draw(st.sampled_from(images)),
        "category_id": draw(st.sampled_from(categories)),
        "bbox": box,
        "area": draw(st.one_of(st.just(box[2] * box[3]), AREAS)),
        "iscrowd": draw(st.sampled_from([0, 0, 0, 1])),
    }
    if task == "segm":
        annotation["segmentation"] = draw(st.sampled_from([mask_of, polygon_of, runs_of]))(box)
    if task == "keypoints":
        points = draw(
            st.lists(st.tuples(PLACES, PLACES, st.integers(0, 2)), min_size=3, max_size=3)
        )
        annotation["keypoints"] = [number for point in points for number in point]
        annotation["num_keypoints"] = sum(point[2] > 0 for point in points)
    return annotation


@st.composite
def detections(draw: st.DrawFn, task: str, like: Case, with_box: bool) -> Case:
    """A detection in the image and category of an annotation, not far from it."""
    x, y, width, height = like["bbox"]
    shift = draw(st.sampled_from([0, 0, 0, 1, 4, 20]))
    box = [x + shift, y, draw(st.sampled_from([width, width, 10, 96])), height]
    detection = {
        "image_id": like["image_id"],
        "category_id": like["category_id"],
        "score": draw(SCORES),
    }
    if with_box:
        detection["bbox"] = [box[0] - draw(st.sampled_from([0, 0, 2.5])), *box[1:]]
    if task == "segm":
        detection["segmentation"] = mask_of(box)
    if task == "keypoints":
        shift = draw(st.sampled_from([0.0, 0.5, 3.0, 30.0]))
        detection["keypoints"] = [number + shift for number in like["keypoints"]]
    return detection


@st.composite
def cases(draw: st.DrawFn, tasks: tuple[str, ...] = ("bbox", "segm", "keypoints")) -> Case:
    task = draw(st.sampled_from(tasks))
    images = draw(st.lists(IDS, min_size=draw(st.sampled_from([0, 1, 3])), max_size=5, unique=True))
    categories = draw(
        st.lists(IDS, min_size=draw(st.sampled_from([0, 1, 1])), max_size=3, unique=True)
    )
    with_box = task == "bbox" or draw(st.booleans())
    truths, results = [], []
    if images and categories:
        truths = draw(
            st.lists(
                annotations(task, images, categories),
                min_size=draw(st.sampled_from([0, 1, 6])),
                max_size=14,
            )
        )
        others = draw(st.lists(annotations(task, images, categories), min_size=1, max_size=2))
        for like in draw(
            st.lists(
                st.sampled_from([*truths, *truths, *others]),
                min_size=draw(st.sampled_from([0, 8])),
                max_size=24,
            )
        ):
            results.append(draw(detections(task, like, with_box)))
    ids = draw(st.permutations([0, -7, 2**40, *range(1, 1 + len(truths))]))
    for annotation, identity in zip(truths, ids):
        annotation["id"] = identity
    return {
        "task": task,
        "truth": {
            "images": [{"id": i, "width": SIDE, "height": SIDE} for i in images],
            "annotations": truths,
            "categories": [{"id": i, "name": f"category {i}"} for i in categories],
        },
        "results": results,
    }


@relaxed
@given(cases())
def test_equals_pycocotools(case: Case) -> None:
    theirs = official(case)
    metric, matches = matched(case)
    assert_same(accumulate(matches), theirs)
    # At most 8192 precisions are averaged here: NumPy's way of summing more has changed.
    assert list(metric.accumulate(matches).metrics.values()) == theirs.stats.tolist()


@relaxed
@given(cases(), st.randoms(use_true_random=False))
def test_shards_equal_one_run(case: Case, random: Any) -> None:
    metric = METRICS[case["task"]]()
    truth, predictions = tables(case)
    whole = accumulate(metric.match(truth, predictions))
    images = predictions.images["image_id"].to_pylist()
    random.shuffle(images)
    size = random.randint(1, max(len(images), 1))
    shards = [
        metric.match(truth, only(predictions, images[first : first + size]))
        for first in range(0, max(len(images), 1), size)
    ]
    random.shuffle(shards)
    merged = accumulate(pa.concat_tables(shards))
    for name in ("precision", "recall", "scores"):
        np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name))


@relaxed
@given(cases())
def test_rows_may_come_in_any_order(case: Case) -> None:
    _, matches = matched(case)
    shuffled = matches.take(pa.array(np.random.default_rng(0).permutation(len(matches))))
    ours, theirs = accumulate(matches), accumulate(shuffled)
    for name in ("precision", "recall", "scores"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


@relaxed
@given(cases(), st.data())
def test_whole_weights_equal_images_that_stand_several_times(
    case: Case, data: st.DataObject
) -> None:
    images = [image["id"] for image in case["truth"]["images"]]
    weights = {image: data.draw(st.integers(0, 3)) for image in images}
    place = {image: 10 * index for index, image in enumerate(sorted(images))}

    def repeated(items: list[Case], field: str) -> list[Case]:
        return [
            {**item, field: place[item[field]] + copy_}
            for item in items
            for copy_ in range(weights[item[field]])
        ]

    several = copy.deepcopy(case)
    several["truth"]["images"] = repeated(case["truth"]["images"], "id")
    several["truth"]["annotations"] = repeated(case["truth"]["annotations"], "image_id")
    # A truth of id 0 loses its match in pycocotools; its copies are to lose theirs too.
    for number, annotation in enumerate(several["truth"]["annotations"], 1):
        annotation["id"] = number if annotation["id"] else 0
    if sum(annotation["id"] == 0 for annotation in several["truth"]["annotations"]) > 1:
        return
    several["results"] = repeated(case["results"], "image_id")
    _, matches = matched(case)
    weighted = accumulate(matches, weights)
    assert_same(weighted, official(several))


@relaxed
@given(cases(("bbox",)))
def test_weights_of_one_change_nothing(case: Case) -> None:
    _, matches = matched(case)
    ones = dict.fromkeys([image["id"] for image in case["truth"]["images"]], 1.0)
    plain, weighted = accumulate(matches), accumulate(matches, ones)
    for name in ("precision", "recall", "scores"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(weighted, name))


# --- cases beyond the generated ones --------------------------------------------------------------


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


def test_truth_with_id_0_loses_its_match_as_in_pycocotools() -> None:
    box = [0, 0, 10, 10]
    case = boxes_case([truth_box(1, box, id=0)], [found_box(1, box, 0.9)])
    metric, matches = matched(case)
    assert metric.accumulate(matches).metrics["AP"] == 0
    assert_same(accumulate(matches), official(case))


@pytest.mark.parametrize("task", ["bbox", "segm", "keypoints"])
def test_more_detections_than_count(task: str) -> None:
    generator = np.random.default_rng(0)
    truths, results = [], []
    for image in (1, 2):
        for _ in range(30):
            box = [*generator.integers(0, 90, 2).tolist(), *generator.integers(9, 40, 2).tolist()]
            truths.append(truth_box(image, box, **shapes_of(task, box)))
            for _ in range(5):
                moved = [box[0] + int(generator.integers(0, 4)), *box[1:]]
                score = round(float(generator.random()), 2)
                results.append({**found_box(image, moved, score), **shapes_of(task, moved)})
    case = {**boxes_case(truths, results), "task": task}
    metric, matches = matched(case)
    theirs = official(case)
    assert_same(accumulate(matches), theirs)
    assert list(metric.accumulate(matches).metrics.values()) == theirs.stats.tolist()


def shapes_of(task: str, box: list[float]) -> Case:
    if task == "segm":
        return {"segmentation": mask_of(box)}
    if task == "keypoints":
        x, y, width, height = box
        points = [x, y, 2, x + width, y, 1, x, y + height, 2]
        return {"keypoints": points, "num_keypoints": 3}
    return {}


@pytest.mark.parametrize("field", ["segm", "keypoints"])
def test_boxes_are_made_of_masks_and_keypoints(field: str) -> None:
    boxes_ = [[0, 0, 10, 10], [20, 30, 40, 50], [5, 5, 100, 100]]
    truths = [truth_box(image, box) for image, box in enumerate(boxes_, 1)]
    results = []
    for image, box in enumerate(boxes_, 1):
        result = {**found_box(image, box, 0.5 + image / 10), **shapes_of(field, box)}
        del result["bbox"]
        results.append(result)
    case = boxes_case(truths, results)
    _, matches = matched(case)
    theirs = official(case)
    assert theirs.stats[0] == pytest.approx(1)
    assert_same(accumulate(matches), theirs)


# --- real data ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "task"),
    [("coco_val2014_100", "bbox"), ("coco_val2014_100", "segm"), ("keypoints_small", "keypoints")],
)
def test_real_data(shared_data: Path, folder: str, task: str) -> None:
    expected = json.loads((shared_data / "EXPECTED.json").read_text())[folder]
    truth_file, results_file = expected["ground_truth"], expected[task]["detections"]
    dataset = CocoFormatDataset(shared_data / truth_file, None)
    predictions = read_coco_results(
        shared_data / results_file, dataset.images(), dataset.categories, task
    )
    metric = METRICS[task]()
    matches = metric.match(dataset.truth(task), predictions)
    assert list(metric.accumulate(matches).metrics.values()) == expected[task]["stats"]
    case = {
        "task": task,
        "truth": json.loads((shared_data / truth_file).read_text()),
        "results": json.loads((shared_data / results_file).read_text()),
    }
    assert_same(accumulate(matches), official(case, PERSON_KEYPOINTS))


def test_protocol_is_that_of_pycocotools() -> None:
    for task, make in METRICS.items():
        matches = make().match(*tables({**boxes_case([], []), "task": task}))
        protocol = MatchHeader.of(matches).protocol
        theirs = COCOeval(iouType=task).params
        assert list(protocol.iou_thresholds) == theirs.iouThrs.tolist()
        assert list(protocol.recalls) == theirs.recThrs.tolist()
        assert [list(area) for area in protocol.area_ranges] == theirs.areaRng
        assert list(protocol.areas) == theirs.areaRngLbl
        assert list(protocol.max_detections) == theirs.maxDets
    assert list(PERSON_KEYPOINTS.sigmas) == theirs.kpt_oks_sigmas.tolist()
