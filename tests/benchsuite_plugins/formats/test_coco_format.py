"""COCO's JSON as a format."""

from __future__ import annotations

import json

import pytest

from benchsuite.errors import InputError
from benchsuite.evaluator import evaluate
from benchsuite.protocols import PredictionsRequest, TruthRequest, WriteRequest
from benchsuite_plugins.formats import coco, recognition
from benchsuite_plugins.formats.written_images import image_records


@pytest.mark.parametrize(
    "file",
    [
        "coco_val2014_100/instances_val2014_100.json",
        "keypoints_small/gt_dataset.json",
    ],
)
def test_published_truth_is_read_again_as_it_was(shared_data, tmp_path, file):
    truth = coco.read_truth(TruthRequest(shared_data / file))
    lost = coco.write_truth(truth, WriteRequest(tmp_path / "out.json", truth.categories))
    assert lost == {}
    again = coco.read_truth(TruthRequest(tmp_path / "out.json"))
    assert again.instances.equals(truth.instances)
    assert again.images.equals(truth.images)
    assert again.categories == truth.categories
    assert again.keypoints == truth.keypoints


def test_lvis_truth_keeps_what_was_searched_for(shared_data, tmp_path):
    [file] = (shared_data / "lvis_val_100").glob("*val*100*.json")
    truth = coco.read_truth(TruthRequest(file, task="bbox"))
    coco.write_truth(truth, WriteRequest(tmp_path / "out.json", truth.categories))
    again = coco.read_truth(TruthRequest(tmp_path / "out.json", task="bbox"))
    assert again.images.equals(truth.images)
    assert again.instances.equals(truth.instances)
    assert again.categories == truth.categories


def test_difficult_objects_are_marked(make_truth, with_column, tmp_path):
    truth = with_column(make_truth([0, 0, 1, 1], [0, 0, 2, 2]), "difficult", [True, False])
    assert coco.write_truth(truth, WriteRequest(tmp_path / "out.json", truth.categories)) == {}
    written = json.loads((tmp_path / "out.json").read_text())["annotations"]
    assert [record.get("ignore") for record in written] == [1, None]
    again = coco.read_truth(TruthRequest(tmp_path / "out.json"))
    assert again.instances["difficult"].to_pylist() == [True, False]


ROTATED = [[5.0, 6.0, 4.0, 3.0, 30.0], None]


def test_rotated_boxes_are_boxes_with_an_angle(make_truth, with_column, tmp_path):
    truth = with_column(make_truth([3, 4, 4, 3], [1, 2, 3, 4]), "rotated_box", ROTATED)
    order = WriteRequest(tmp_path / "out.json", truth.categories)
    assert coco.write_truth(truth, order) == {"boxes beside rotated ones": 1}
    written = json.loads((tmp_path / "out.json").read_text())["annotations"]
    assert [record["bbox"] for record in written] == [[5, 6, 4, 3, 30], [1, 2, 3, 4]]
    for task in ("", "rotated"):
        again = coco.read_truth(TruthRequest(tmp_path / "out.json", task=task)).instances
        assert again["rotated_box"].to_pylist() == ROTATED
        assert again["bbox"].to_pylist() == [None, [1, 2, 3, 4]]
        assert again["area"].to_pylist() == [12, 12]
    # For boxes the upright ones are written.
    order = WriteRequest(tmp_path / "boxes.json", truth.categories, task="bbox")
    assert coco.write_truth(truth, order) == {"rotated boxes": 1}
    again = coco.read_truth(TruthRequest(tmp_path / "boxes.json")).instances
    assert again["bbox"].to_pylist() == [[3, 4, 4, 3], [1, 2, 3, 4]]


def test_the_area_of_a_rotated_box_is_its_own(tmp_path):
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 5, 4, 3, 45]}
    truth = {
        "images": [{"id": 1, "width": 9, "height": 9}],
        "annotations": [annotation],
        "categories": [{"id": 1, "name": "ship"}],
    }
    file = tmp_path / "truth.json"
    file.write_text(json.dumps(truth))
    assert coco.read_truth(TruthRequest(file)).instances["area"].to_pylist() == [12]
    for box, problem in (
        ([5, 5, -4, 3, 45], "its width or height is negative"),
        ([5, 5, 4, 3, None], "holds a value that is null, not a number"),
        ([5, 5, 4, 3, 45, 1], r"has 6 numbers, not 4"),
    ):
        file.write_text(json.dumps({**truth, "annotations": [{**annotation, "bbox": box}]}))
        with pytest.raises(InputError, match=rf"annotations\[0\] \(id 1\): .*{problem}"):
            coco.read_truth(TruthRequest(file))


def test_rotated_results_are_scored(make_truth, with_column, tmp_path):
    truth = with_column(make_truth([3, 4, 4, 3], [1, 2, 3, 4]), "rotated_box", ROTATED)
    coco.write_truth(truth, WriteRequest(tmp_path / "truth.json", truth.categories))
    results = [
        {"image_id": 1, "category_id": 1, "bbox": [5, 6, 4, 3, 210], "score": 0.5},
        {"image_id": 2, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.25},
    ]
    (tmp_path / "found.json").write_text(json.dumps(results))
    outcome = evaluate(tmp_path / "truth.json", tmp_path / "found.json", task="rotated")
    assert outcome.metrics["rotated/AP"] == pytest.approx(1)
    found = coco.read_predictions(
        PredictionsRequest(
            tmp_path / "found.json", image_records(truth.images), truth.categories, "rotated"
        )
    )
    order = WriteRequest(tmp_path / "again.json", truth.categories)
    assert coco.write_predictions(found, order) == {}
    assert json.loads((tmp_path / "again.json").read_text()) == results


def test_an_empty_truth(make_truth, tmp_path):
    truth = make_truth()
    coco.write_truth(truth, WriteRequest(tmp_path / "out.json", truth.categories))
    assert json.loads((tmp_path / "out.json").read_text())["annotations"] == []


def test_predictions_are_no_truth(tmp_path):
    (tmp_path / "results.json").write_text("[]")
    with pytest.raises(InputError, match="it seems to hold predictions, not truth"):
        coco.read_truth(TruthRequest(tmp_path / "results.json"))


def test_predictions_are_read_again(shared_data, tmp_path):
    folder = shared_data / "coco_val2014_100"
    truth = coco.read_truth(TruthRequest(folder / "instances_val2014_100.json", task="bbox"))
    records = image_records(truth.images)
    file = folder / "instances_val2014_fakebbox100_results.json"
    made = coco.read_predictions(PredictionsRequest(file, records, truth.categories, "bbox"))
    order = WriteRequest(tmp_path / "out.json", truth.categories, task="bbox")
    assert coco.write_predictions(made, order) == {}
    again = coco.read_predictions(
        PredictionsRequest(tmp_path / "out.json", records, truth.categories, "bbox")
    )
    assert again.instances.equals(made.instances)


@pytest.mark.parametrize(
    ("content", "is_coco"),
    [(b'{"images"', True), (b"\xef\xbb\xbf [", True), (b"0 1 2", False), (b"", False)],
)
def test_recognised_by_its_beginning(tmp_path, content, is_coco):
    (tmp_path / "a.json").write_bytes(content)
    assert recognition.coco(tmp_path / "a.json") is is_coco
