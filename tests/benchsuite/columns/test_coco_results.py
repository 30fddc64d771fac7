from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchsuite.columns.coco_results import read_coco_results
from benchsuite.columns.coco_results_writer import as_results, write_coco_results
from benchsuite.errors import ContractError, DataMissingError, InputError
from benchsuite.protocols import Predictions
from benchsuite.records import ImageRecord
from benchsuite.schemas import PREDICTION_IMAGES, PREDICTION_INSTANCES
from benchsuite.specs import Category
from benchsuite_kernels.columns import rle

IMAGES = [ImageRecord(7, "a.png", 20, 10), ImageRecord(0, "b.png", 20, 10)]
CATEGORIES = [Category(3, "cat"), Category(2**40, "dog")]

MASK = {"size": [10, 20], "counts": rle.encode(np.eye(10, 20, dtype=np.uint8)).decode()}
POINTS = [1.5, 2, 0.25, 3, 4, -1.0]


def detection(**fields: Any) -> dict[str, Any]:
    record = {"image_id": 7, "category_id": 3, "bbox": [1, -2.5, 3, 4], "score": 0.5, **fields}
    return {name: value for name, value in record.items() if value is not ...}


def read(folder: Path, *detections: Any, task: str = "bbox") -> Predictions:
    path = folder / "results.json"
    path.write_text(json.dumps(detections))
    return read_coco_results(path, IMAGES, CATEGORIES, task)


def test_tables(tmp_path: Path) -> None:
    predictions = read(tmp_path, detection(), detection(image_id=0, category_id=2**40, score=-2))
    assert predictions.instances.schema == PREDICTION_INSTANCES
    assert predictions.images.schema == PREDICTION_IMAGES
    assert predictions.instances.to_pylist()[0] == {
        "prediction": 0,
        "image_id": 7,
        "category_id": 3,
        "score": 0.5,
        "bbox": [1.0, -2.5, 3.0, 4.0],
        "segmentation": None,
        "keypoints": None,
        "rotated_box": None,
        "extra": None,
    }
    assert predictions.instances["prediction"].to_pylist() == [0, 1]
    assert predictions.source == str(tmp_path / "results.json")


def test_every_image_counts_as_run(tmp_path: Path) -> None:
    images = read(tmp_path, detection(), detection()).images
    assert images["image_id"].to_pylist() == [7, 0]
    assert images["n_instances"].to_pylist() == [2, 0]
    assert images["file_name"].to_pylist() == ["a.png", "b.png"]


def test_nothing_found(tmp_path: Path) -> None:
    predictions = read(tmp_path)
    assert predictions.instances.num_rows == 0
    assert predictions.images.num_rows == 2


def test_fields_of_each_task(tmp_path: Path) -> None:
    segm = read(tmp_path, detection(bbox=..., segmentation=MASK), task="segm")
    assert segm.instances["segmentation"].to_pylist() == [
        {"size": [10, 20], "counts": MASK["counts"].encode()}
    ]
    assert segm.instances["bbox"].to_pylist() == [None]
    keypoints = read(tmp_path, detection(keypoints=POINTS), task="keypoints")
    assert keypoints.instances["keypoints"].to_pylist() == [POINTS]


def test_uncompressed_rle_is_compressed(tmp_path: Path) -> None:
    runs = {"size": [10, 20], "counts": [5, 3, 192]}
    predictions = read(tmp_path, detection(segmentation=runs), task="segm")
    counts = predictions.instances["segmentation"].to_pylist()[0]["counts"]
    assert rle.decode(counts, (10, 20)).ravel(order="F").nonzero()[0].tolist() == [5, 6, 7]


def test_boxes_may_be_made_of_masks(tmp_path: Path) -> None:
    predictions = read(tmp_path, detection(bbox=..., segmentation=MASK), task="bbox")
    assert predictions.instances["bbox"].null_count == 1


# --- in and out -----------------------------------------------------------------------------------

floats = st.floats(allow_nan=False, allow_infinity=False)
sizes = st.floats(0, 1e308)
extras = st.dictionaries(
    st.sampled_from(["id", "area", "überschrift", "caption of it"]),
    st.one_of(st.none(), st.integers(), floats, st.text(max_size=4), st.lists(st.booleans())),
    max_size=2,
)


@st.composite
def results(draw: st.DrawFn) -> tuple[str, list[dict[str, Any]]]:
    task = draw(st.sampled_from(["bbox", "segm", "keypoints"]))
    with_box = task == "bbox" or draw(st.booleans())
    detections = []
    for _ in range(draw(st.integers(0, 4))):
        found: dict[str, Any] = {
            "image_id": draw(st.sampled_from([0, 7])),
            "category_id": draw(st.sampled_from([3, 2**40])),
            "score": draw(floats),
            **draw(extras),
        }
        if with_box:
            found["bbox"] = [draw(floats), draw(floats), draw(sizes), draw(sizes)]
        if task == "segm":
            found["segmentation"] = MASK
        if task == "keypoints":
            found["keypoints"] = draw(st.lists(floats, min_size=6, max_size=6))
        detections.append(found)
    return task, detections


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=results())
def test_written_as_read(case: tuple[str, list[dict[str, Any]]]) -> None:
    task, detections = case
    with tempfile.TemporaryDirectory() as name:
        predictions = read(Path(name), *detections, task=task)
        written = Path(name, "again.json")
        write_coco_results(predictions, written, task)
        assert json.loads(written.read_text()) == detections
        again = read_coco_results(written, IMAGES, CATEGORIES, task)
    assert again.instances.equals(predictions.instances)


def test_written_in_order_of_prediction(tmp_path: Path) -> None:
    predictions = read(tmp_path, detection(score=1), detection(score=2))
    backwards = predictions.instances.take(pa.array([1, 0]))
    write_coco_results(Predictions(predictions.images, backwards), tmp_path / "out.json", "bbox")
    written = json.loads((tmp_path / "out.json").read_text())
    assert [found["score"] for found in written] == [1, 2]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text("old")
    predictions = read(tmp_path, detection(), detection())
    # The second row is found broken when the first is already written.
    place = PREDICTION_INSTANCES.get_field_index("extra")
    broken = predictions.instances.set_column(place, "extra", pa.array([None, "no JSON"]))
    with pytest.raises(json.JSONDecodeError):
        write_coco_results(Predictions(predictions.images, broken), target, "bbox")
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "results.json"]


def test_nothing_to_write_for_the_task(tmp_path: Path) -> None:
    predictions = read(tmp_path, detection())
    with pytest.raises(ContractError, match="1 of 1 predictions have no segmentation"):
        write_coco_results(predictions, tmp_path / "out.json", "segm")
    assert not (tmp_path / "out.json").exists()


def test_as_results_of_one_task(tmp_path: Path) -> None:
    whole = read(tmp_path, detection(segmentation=MASK, keypoints=POINTS), task="segm")
    kept = {
        task: [
            name
            for name in ("bbox", "segmentation", "keypoints")
            if as_results(whole, task).instances[name].null_count == 0
        ]
        for task in ("bbox", "segm", "keypoints")
    }
    assert kept == {
        "bbox": ["bbox"],
        "segm": ["segmentation"],
        "keypoints": ["bbox", "keypoints"],
    }
    assert as_results(whole, "segm").instances.schema == PREDICTION_INSTANCES


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "task", "problem"),
    [
        ({"image_id": 8}, "bbox", "image_id 8 is not among the dataset's images"),
        ({"image_id": "7"}, "bbox", "'image_id' is a string"),
        ({"image_id": ...}, "bbox", "'image_id' is missing"),
        ({"category_id": 1}, "bbox", "category_id 1 is not among the dataset's categories"),
        ({"category_id": ...}, "bbox", "'category_id' is missing"),
        ({"score": ...}, "bbox", "'score' is missing"),
        ({"score": None}, "bbox", "'score' is missing"),
        ({"score": "0.5"}, "bbox", "'score' is a string"),
        ({"score": True}, "bbox", "'score' is a boolean"),
        ({"score": float("nan")}, "bbox", "'score' is nan"),
        ({"score": float("inf")}, "bbox", "'score' is inf"),
        ({"bbox": ...}, "bbox", "'bbox' is missing"),
        ({"bbox": []}, "bbox", "'bbox' is missing"),
        ({"bbox": [0, 0, -1, 1]}, "bbox", "negative"),
        ({"bbox": [0, 0, 1, -1e-9]}, "bbox", "negative"),
        ({"bbox": [0, 0, 1]}, "bbox", "has 3 numbers"),
        ({"bbox": [0, 0, 1, float("nan")]}, "bbox", "finite"),
        ({}, "segm", "'segmentation' is missing"),
        ({"segmentation": {"size": [20, 10], "counts": "0"}}, "segm", r"size \[20, 10\]"),
        ({"segmentation": {"size": [10, 20], "counts": "X"}}, "segm", "malformed"),
        ({"segmentation": {"size": [10, 20], "counts": "0" * 50}}, "segm", "malformed"),
        ({"segmentation": {"size": [10, 20], "counts": [1]}}, "segm", "malformed"),
        ({"segmentation": {"size": [10, 20], "counts": []}}, "segm", "malformed"),
        ({"segmentation": {"counts": "0"}}, "segm", "size that is null"),
        ({}, "keypoints", "'keypoints' is missing"),
        ({"keypoints": [1, 2]}, "keypoints", "has 2 numbers"),
        ({"keypoints": [1, 2, 3]}, "keypoints", "has 3 numbers, not 6"),
        ({"keypoints": [1, 2, 3, 4, 5, None]}, "keypoints", "holds"),
        ({"keypoints": [1, 2, 3, 4, 5, float("inf")]}, "keypoints", "holds inf"),
    ],
)
def test_wrong_detections(tmp_path: Path, fields: dict[str, Any], task: str, problem: str) -> None:
    own = {"segm": {"segmentation": MASK}, "keypoints": {"keypoints": POINTS}}.get(task, {})
    # The task's own field is missing where a case does not give it.
    good, bad = detection(**own), detection(**fields)
    with pytest.raises(InputError, match=rf"results\.json, detections\[1\]: .*{problem}"):
        read(tmp_path, good, bad, task=task)


def test_box_missing_after_the_first(tmp_path: Path) -> None:
    with_box, without = detection(segmentation=MASK), detection(bbox=..., segmentation=MASK)
    with pytest.raises(InputError, match=r"detections\[1\]: .*'bbox' .* detections\[0\] has it"):
        read(tmp_path, with_box, without, task="segm")
    assert read(tmp_path, without, with_box, task="segm").instances.num_rows == 2


def test_box_missing_with_nothing_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"detections\[0\]: the field 'bbox' is missing"):
        read(tmp_path, detection(bbox=...))


@pytest.mark.parametrize("content", ['{"annotations": []}', "3", "null"])
def test_no_array(tmp_path: Path, content: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(InputError, match="not an array of detections"):
        read_coco_results(path, IMAGES, CATEGORIES, "bbox")


def test_truncated(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps([detection()])[:-5])
    with pytest.raises(InputError, match="truncated"):
        read_coco_results(path, IMAGES, CATEGORIES, "bbox")


def test_no_object(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"detections\[1\]: is an array"):
        read(tmp_path, detection(), [1])


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match="predictions file"):
        read_coco_results(tmp_path / "nothing.json", IMAGES, CATEGORIES, "bbox")
