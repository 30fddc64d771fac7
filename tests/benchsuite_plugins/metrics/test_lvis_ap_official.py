"""LVIS AP held against the ``lvis`` package, on real data and on generated cases."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchsuite.columns.sources import read_counted_predictions
from benchsuite.protocols import Predictions, Truth
from benchsuite_plugins.datasets.coco_format import CocoFormatDataset
from benchsuite_plugins.metrics import lvis_ap, lvis_official
from benchsuite_plugins.metrics.lvis_protocol import LvisOptions
from benchsuite_plugins.metrics.precision_recall import accumulate

pytest.importorskip("lvis")

EXAMPLES = settings.default.max_examples // 3
SIDE = 24

Case = dict[str, Any]


def columns(folder: Path, truth: Case, results: list[Case], task: str) -> tuple[Truth, Predictions]:
    """Truth and results by way of their files."""
    truth_file, results_file = folder / "truth.json", folder / "results.json"
    truth_file.write_text(json.dumps(truth))
    results_file.write_text(json.dumps(results))
    return read(truth_file, results_file, task)


def read(truth_file: Path, results_file: Path, task: str) -> tuple[Truth, Predictions]:
    dataset = CocoFormatDataset(truth_file, None)
    read = read_counted_predictions(
        results_file, dataset.images(), dataset.categories, task, lenient=True
    )
    return dataset.truth(task), read.predictions


def hold_against_lvis(
    truth: Truth, predictions: Predictions, task: str, options: LvisOptions | None = None
) -> Any:
    """Precision, recall and summary to the bit; returns the package's ``LVISEval``."""
    ours, official = (getattr(module, task)(options) for module in (lvis_ap, lvis_official))
    matches = ours.match(truth, predictions)
    curves = accumulate(matches)
    reference = official.evaluate(truth, predictions)
    assert np.array_equal(curves.precision[..., 0], reference.eval["precision"])
    assert np.array_equal(curves.recall[..., 0], reference.eval["recall"])
    values = ours.accumulate(matches).metrics
    assert dict(values) == dict(official.score(truth, predictions).metrics)
    if options is not None and options.iou_thresholds:
        return reference
    reference.params.max_dets = 300 if options is None else options.max_detections
    reference.summarize()
    results = reference.get_results()
    assert list(values) == list(results)
    # The package leaves means to NumPy, whose order of summation depends on its version.
    assert np.allclose(list(values.values()), list(results.values()), rtol=0, atol=1e-14)
    return reference


@pytest.mark.parametrize("task", ["bbox", "segm"])
def test_published_sample(shared_data: Path, tmp_path: Path, task: str) -> None:
    folder = shared_data / "lvis_val_100"
    expected = json.loads((shared_data / "EXPECTED.json").read_text())["lvis_val_100"]["bbox"]
    results = json.loads((folder / "perturbed_dt_seed0.json").read_text())
    if task == "segm":
        results = [{**row, "segmentation": octagon(row.pop("bbox"))} for row in results]
    file = tmp_path / "results.json"
    file.write_text(json.dumps(results))
    truth, predictions = read(folder / "lvis_val_100.json", file, task)
    reference = hold_against_lvis(truth, predictions, task)
    if task == "bbox":
        values = lvis_ap.bbox().accumulate(lvis_ap.bbox().match(truth, predictions)).metrics
        assert round(values["AP"], 5) == expected["AP"]
        assert round(values["APr"], 5) == expected["APr"]
    assert reference.get_results()["AP"] > 0.1


def octagon(box: list[float]) -> list[list[float]]:
    x, y, width, height = box
    corners = [(1, 0), (3, 0), (4, 1), (4, 3), (3, 4), (1, 4), (0, 3), (0, 1)]
    return [[side for a, b in corners for side in (x + a * width / 4, y + b * height / 4)]]


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    handlers = list(logging.getLogger().handlers)
    image = {"id": 1, "height": SIDE, "width": SIDE}
    image |= {"neg_category_ids": [], "not_exhaustive_category_ids": []}
    shape = {"image_id": 1, "category_id": 3, "bbox": [0, 0, 9, 9]}
    truth = {
        "images": [image],
        "annotations": [{**shape, "id": 1, "area": 81}],
        "categories": [{"id": 3, "name": "a", "frequency": "c"}],
    }
    hold_against_lvis(*columns(tmp_path, truth, [{**shape, "score": 1}], "bbox"), "bbox")
    assert not hasattr(np, "float")
    assert logging.getLogger().handlers == handlers
    assert logging.getLogger("lvis").level == logging.NOTSET


# --- generated cases --------------------------------------------------------------------------

IMAGES, CATEGORIES = (5, 2, 1000000007), (3, 0, 8, -1)


def boxes() -> st.SearchStrategy[list[float]]:
    """Boxes of which many are equal, touch or lie beyond the image, some without an area."""
    corner, side = st.integers(-2, 14), st.sampled_from([0, 1, 4, 5, 8, 10])
    whole = st.tuples(corner, corner, side, side).map(list)
    # About the ends of the area ranges: 32 x 32 belongs to small and to medium.
    large = st.sampled_from([[0, 0, 32, 32], [0.5, 0, 32, 32], [0, 0, 96, 96], [1, 1, 95, 97]])
    return whole | large | st.tuples(*[st.floats(0, 12)] * 4).map(list)


def masks(draw: st.DrawFn, box: list[float]) -> Case:
    """RLE of the box, cut to the image; uncompressed, in COCO's order."""
    x, y, width, height = (int(number) for number in box)
    inside = np.zeros((SIDE, SIDE), np.uint8)
    inside[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = 1
    if draw(st.booleans()):
        inside[draw(st.integers(0, SIDE - 1))] = 0
    from benchsuite_kernels.columns import rle

    return {"size": [SIDE, SIDE], "counts": rle.encode(inside).decode()}


@st.composite
def cases(draw: st.DrawFn, task: str, lenient: bool = False) -> tuple[Case, list[Case]]:
    """Truth and results; ``lenient``: also such as only a lenient reading lets pass."""
    category, image = st.sampled_from(CATEGORIES), st.sampled_from(IMAGES)
    shapes = draw(st.lists(boxes(), min_size=1, max_size=5))

    def record() -> Case:
        box = draw(st.sampled_from(shapes) | boxes())
        found: Case = {"image_id": draw(image), "category_id": draw(category)}
        if task == "segm":
            found["segmentation"] = masks(draw, box)
            if draw(with_boxes):
                found["bbox"] = box
        else:
            found["bbox"] = box
        return found

    with_boxes = st.booleans()
    annotations = []
    ids = draw(st.permutations([0, 7, -4, 2**53 + 1, 1, 2, 3, 9]))
    for identity in ids[: draw(st.integers(task == "segm", 8))]:
        annotation = {"bbox": draw(boxes()), **record(), "id": identity}
        box = annotation["bbox"]
        own = st.just(float(box[2] * box[3]))
        annotation["area"] = draw(own | st.sampled_from([0.0, 1024.0, 9216.0, 1e10, 0.5]))
        if draw(st.integers(0, 5)) == 0:
            annotation["ignore"] = draw(st.integers(0, 1))
        annotation["iscrowd"] = draw(st.integers(0, 1))
        annotations.append(annotation)
    # All detections of a file have a box or none has.
    with_boxes = st.just(draw(st.booleans()))
    score = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
    if lenient:
        score |= st.sampled_from([float("nan"), float("inf"), float("-inf")])
        shapes += [[9, 9, -5, -5], [9, 9, -5, 5]]
    results = [{**record(), "score": draw(score)} for _ in range(draw(st.integers(1, 14)))]
    ids_of = st.lists(category, max_size=3, unique=True)
    truth = {
        "images": [
            {
                "id": each,
                "height": SIDE,
                "width": SIDE,
                "neg_category_ids": [*draw(ids_of), *draw(st.sampled_from([[], [77]]))],
                "not_exhaustive_category_ids": draw(ids_of),
            }
            for each in IMAGES
        ],
        "annotations": annotations,
        "categories": [
            {"id": each, "name": str(each), "frequency": draw(st.sampled_from("rcf"))}
            for each in CATEGORIES
        ],
    }
    return truth, results


@pytest.mark.parametrize("task", ["bbox", "segm"])
@pytest.mark.parametrize(
    "options",
    [
        None,
        LvisOptions(max_detections=4),  # or no generated case would have too many
        LvisOptions((0.05, 0.3, 0.3000001, 1.0), 1, {"tiny": (0, 16), "wide": (16, 1e5)}),
    ],
    ids=["protocol", "few", "own"],
)
@pytest.mark.parametrize("lenient", [False, True], ids=["", "lenient"])
def test_generated_cases(
    task: str, options: LvisOptions | None, lenient: bool, tmp_path: Path
) -> None:
    @given(case=cases(task, lenient))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    def check(case: tuple[Case, list[Case]]) -> None:
        hold_against_lvis(*columns(tmp_path, *case, task), task, options)

    check()
