"""COCO's JSON as a format."""

from __future__ import annotations

import json

import pytest

from benchsuite.errors import InputError
from benchsuite.protocols import PredictionsRequest, TruthRequest, WriteRequest
from benchsuite_plugins.formats import coco


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
    lost = coco.write_truth(truth, WriteRequest(tmp_path / "out.json", truth.categories))
    assert lost == {"difficult flags (`ignore` now)": 1}
    written = json.loads((tmp_path / "out.json").read_text())["annotations"]
    assert [record.get("ignore") for record in written] == [1, None]


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
    from benchsuite_plugins.formats.written_images import image_records

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
    assert coco.recognises(tmp_path / "a.json") is is_coco
