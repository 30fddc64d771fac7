"""Files are evaluated without records being made of them; records that are made are JSON's."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pycocotools.coco
import pytest

from benchsuite.coco import COCO, COCOeval
from benchsuite.errors import InputError

FOLDER = "coco_val2014_100"
TRUTH = f"{FOLDER}/instances_val2014_100.json"
DETECTIONS = {
    "bbox": f"{FOLDER}/instances_val2014_fakebbox100_results.json",
    "segm": f"{FOLDER}/instances_val2014_fakesegm100_results.json",
}


def ap(truth: Any, detections: Any, task: str) -> float:
    evaluation = COCOeval(truth, detections, task)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return float(evaluation.stats[0])


@pytest.mark.parametrize("task", DETECTIONS)
def test_no_records_are_made(task: str, shared_data: Path) -> None:
    truth = COCO(shared_data / TRUTH)
    detections = truth.loadRes(shared_data / DETECTIONS[task])
    assert ap(truth, detections, task) > 0.3
    assert ap(copy.deepcopy(truth), copy.deepcopy(detections), task) > 0.3
    for coco in (truth, detections):
        assert not {"dataset", "anns", "imgToAnns", "catToImgs"} & coco.__dict__.keys()


@pytest.mark.parametrize("task", DETECTIONS)
def test_records_are_those_of_pycocotools(task: str, shared_data: Path) -> None:
    sides = []
    for coco in (COCO, pycocotools.coco.COCO):
        truth = coco(str(shared_data / TRUTH))
        sides.append((truth, truth.loadRes(str(shared_data / DETECTIONS[task]))))
    for ours, theirs in zip(*sides):
        for name in ("imgs", "cats", "imgToAnns", "catToImgs", "anns", "dataset"):
            mine, other = getattr(ours, name), getattr(theirs, name)
            assert list(mine) == list(other), name
            np.testing.assert_equal(mine, other)
        assert ours.anns[next(iter(ours.anns))] is ours.dataset["annotations"][0]
        assert ours.imgs[42] in ours.dataset["images"]


def test_records_that_were_changed_count(shared_data: Path) -> None:
    truth = COCO(shared_data / TRUTH)
    detections = truth.loadRes(shared_data / DETECTIONS["bbox"])
    before = ap(truth, detections, "bbox")
    for annotation in truth.dataset["annotations"]:
        annotation["iscrowd"] = 1
    assert ap(truth, detections, "bbox") == -1
    again = COCO(shared_data / TRUTH)
    again.imgs[42]["note"] = "mine"
    assert again.dataset["images"][[*again.imgs].index(42)]["note"] == "mine"
    assert ap(again, again.loadRes(shared_data / DETECTIONS["bbox"]), "bbox") == before


def test_pickled_and_copied(shared_data: Path) -> None:
    truth = COCO(shared_data / TRUTH)
    detections = truth.loadRes(shared_data / DETECTIONS["bbox"])
    want = ap(truth, detections, "bbox")
    copied = copy.deepcopy(truth)
    assert ap(*pickle.loads(pickle.dumps((truth, detections))), "bbox") == want
    copied.imgs[42]["note"] = "not in the other"
    assert "note" not in truth.imgs[42]
    assert copied.dataset["annotations"] == truth.dataset["annotations"]


def test_a_subclass_that_chooses_annotations_is_asked(shared_data: Path) -> None:
    class Large(COCO):
        def getAnnIds(self, *arguments: Any, **options: Any) -> list[Any]:
            return super().getAnnIds(*arguments, **options, areaRng=[96**2, 1e10])

    plain, large = (coco(shared_data / TRUTH) for coco in (COCO, Large))
    detections = plain.loadRes(shared_data / DETECTIONS["bbox"])
    assert ap(large, detections, "bbox") != ap(plain, detections, "bbox")


IMAGE = {"id": 3, "height": 20, "width": 20}
TRUE = {"id": 1, "image_id": 3, "category_id": 1, "bbox": [0, 0, 9, 9], "area": 81, "iscrowd": 0}
FOUND = {"image_id": 3, "category_id": 1, "score": 0.5, "bbox": [0, 0, 9, 8]}

UNUSUAL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text ids": ({"id": "one"}, {}),
    "further fields": ({"note": "x"}, {"note": [1, {"a": 2}]}),
    "numbers as text in them": ({}, {"caption_id": "7"}),
    "an area too many": ({}, {"area": 3, "id": 99, "iscrowd": 1}),
    "masks of boxes": ({}, {"segmentation": [[0, 0, 9, 0, 9, 9, 0, 9]]}),
    "no iscrowd": ({"iscrowd": None}, {}),
    "a crowd": ({"iscrowd": True}, {}),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_files_are_evaluated_as_their_records_are(name: str, tmp_path: Path) -> None:
    of_truth, of_found = UNUSUAL[name]
    truth = {key: value for key, value in {**TRUE, **of_truth}.items() if value is not None}
    dataset = {"images": [IMAGE], "categories": [{"id": 1, "name": "a"}], "annotations": [truth]}
    (tmp_path / "truth.json").write_text(json.dumps(dataset))
    (tmp_path / "found.json").write_text(json.dumps([{**FOUND, **of_found}]))
    values = []
    for materialise in (False, True):
        annotations = COCO(tmp_path / "truth.json")
        detections = annotations.loadRes(tmp_path / "found.json")
        if materialise:
            assert annotations.anns and detections.anns
        values.append(ap(annotations, detections, "bbox"))
    assert values[0] == values[1]


BAD: dict[str, tuple[list[dict[str, Any]], str]] = {
    "an unknown image": ([FOUND, {**FOUND, "image_id": 4}], r"detections\[1\]: image_id 4"),
    "counts that end early": (
        [
            {"image_id": 3, "category_id": 1, "score": 1, "segmentation": segmentation}
            for segmentation in (
                {"size": [20, 20], "counts": "`<"},
                {"size": [20, 20], "counts": "5"},
            )
        ],
        r"detections\[1\]: segmentation is malformed",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_evaluated_is_named(name: str, tmp_path: Path) -> None:
    results, message = BAD[name]
    dataset = {"images": [IMAGE], "categories": [{"id": 1, "name": "a"}], "annotations": [TRUE]}
    (tmp_path / "truth.json").write_text(json.dumps(dataset))
    (tmp_path / "found.json").write_text(json.dumps(results))
    with pytest.raises(InputError, match=message):
        COCO(tmp_path / "truth.json").loadRes(tmp_path / "found.json")


def test_malformed_truths_are_named(tmp_path: Path) -> None:
    far = {**TRUE, "segmentation": [[0, 0, 1e9, 0, 9, 9]]}
    dataset = {"images": [IMAGE], "categories": [{"id": 1, "name": "a"}], "annotations": [far]}
    (tmp_path / "truth.json").write_text(json.dumps(dataset))
    (tmp_path / "found.json").write_text(json.dumps([FOUND]))
    truth = COCO(tmp_path / "truth.json")
    detections = truth.loadRes(tmp_path / "found.json")
    with pytest.raises(InputError, match=r"annotation id 1: .* beyond 100000 pixels"):
        ap(truth, detections, "segm")
    dataset["images"] = [{"id": 3}]
    (tmp_path / "truth.json").write_text(json.dumps(dataset))
    with pytest.raises(InputError, match="image id 3: has no height and width"):
        ap(COCO(tmp_path / "truth.json"), detections, "segm")
