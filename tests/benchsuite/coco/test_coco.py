"""The drop-in ``COCO`` against pycocotools', and what makes pycocotools crash."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pycocotools.coco
import pytest

import benchsuite.coco.coco
from benchsuite.coco import COCO
from benchsuite.errors import BenchsuiteError, DataMissingError, InputError

SIDES = (benchsuite.coco.coco, pycocotools.coco)


def dataset() -> dict[str, Any]:
    return {
        "info": {"year": 2014, "version": "1"},
        "images": [{"id": i, "height": 6, "width": 8} for i in (5, 3, "seven")],
        "categories": [
            {"id": 1, "name": "cat", "supercategory": "animal"},
            {"id": 9, "name": "dog", "supercategory": "animal"},
            {"id": 4, "name": "car", "supercategory": "vehicle"},
        ],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 1, "area": 10, "iscrowd": 0},
            {"id": 2, "image_id": 3, "category_id": 9, "area": 30.5, "iscrowd": 1},
            {"id": 0, "image_id": 5, "category_id": 9, "area": 20, "iscrowd": 0},
            {"id": 8, "image_id": "seven", "category_id": 1, "area": 5, "iscrowd": 0},
        ],
    }


def opened(module: ModuleType, content: dict[str, Any] | None = None) -> Any:
    coco = module.COCO()
    coco.dataset = dataset() if content is None else copy.deepcopy(content)
    coco.createIndex()
    return coco


CALLS: dict[str, dict[str, tuple[Any, ...]]] = {
    "getAnnIds": {
        "all": (),
        "an image": (5,),
        "images": ([3, 5],),
        "an unknown image": ([99],),
        "a category": ([], 9),
        "categories": ([5], np.array([1, 4])),
        "areas": ([], [], [5, 20.5]),
        "crowds": ([], [], [], True),
        "no crowds": ([5, 3], [9], [0, 1e9], False),
    },
    "getCatIds": {
        "all": (),
        "a name": ("dog",),
        "names": (["dog", "cat", "cow"],),
        "a supercategory": ([], ["animal"]),
        "an id": ([], [], 4),
        "both": (["car"], ["animal"]),
    },
    "getImgIds": {
        "all": (),
        "an id": (3,),
        "a category": ([], 1),
        "categories": ([], [1, 9]),
        "both": ([5, 3], [9]),
        "an unknown category": ([], [77]),
    },
    "loadAnns": {"none": (), "several": ([2, 0],), "one": (8,)},
    "loadCats": {"several": ([9, 1],), "one": (4,)},
    "loadImgs": {"several": ([3, "seven"],), "one": (5,)},
}


@pytest.mark.parametrize(
    ("method", "arguments"),
    [(method, given) for method, calls in CALLS.items() for given in calls.values()],
)
def test_queries(method: str, arguments: tuple[Any, ...]) -> None:
    ours, theirs = (getattr(opened(module), method)(*arguments) for module in SIDES)
    if method == "getImgIds":  # in no order
        ours, theirs = sorted(ours, key=str), sorted(theirs, key=str)
    assert ours == theirs


def test_index() -> None:
    ours, theirs = (opened(module) for module in SIDES)
    for name in ("dataset", "anns", "cats", "imgs", "imgToAnns", "catToImgs"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.imgToAnns[12345] == []


def test_one_text_is_one_id() -> None:
    assert opened(SIDES[0]).loadImgs("seven") == [{"id": "seven", "height": 6, "width": 8}]


def test_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, results = tmp_path / "truth.json", tmp_path / "results.json"
    truth.write_text(json.dumps(dataset()))
    results.write_text('[{"image_id": 3, "category_id": 1, "score": 0.5, "bbox": [1, 2, 3, 4]}]')
    printed = []
    for module in SIDES:
        coco = module.COCO(str(truth))
        coco.info()
        found = coco.loadRes(str(results))
        assert found.dataset["annotations"][0]["area"] == 12
        printed.append([line.partition("(t=")[0] for line in capsys.readouterr().out.splitlines()])
    assert printed[0] == printed[1]
    assert COCO(truth).loadRes(results).anns.keys() == {1}


RESULTS: dict[str, Any] = {
    "boxes": [
        {"image_id": 5, "category_id": 1, "score": 0.5, "bbox": [1, 2, 3.5, 4]},
        {"image_id": 3, "category_id": 2, "score": 1, "bbox": [0, 0, 1, 1], "iscrowd": 1, "id": 7},
        {"image_id": 3, "category_id": 1, "score": 1, "bbox": [0, 0, 1, 1], "segmentation": [[1]]},
    ],
    "masks": [
        {"image_id": 5, "category_id": 1, "score": 1, "segmentation": {"size": [6, 8], "counts": c}}
        for c in (b"34Y1", "34Y1")
    ],
    "masks, then boxes": [
        {
            "image_id": 5,
            "category_id": 1,
            "score": 1,
            "segmentation": {"size": [6, 8], "counts": "34Y1"},
            **extra,
        }
        for extra in ({"bbox": []}, {"bbox": [1, 2, 3, 4]}, {})
    ],
    "keypoints": [
        {"image_id": 5, "category_id": 1, "score": 1, "keypoints": [1, 2, 2, 5.5, 1, 0, 3, 7, 1]}
    ],
    "captions": [{"image_id": 5, "caption": "a cat"}, {"image_id": 5, "caption": "a dog"}],
    "an array": np.array([[5, 1, 2, 3.5, 4, 0.25, 9], [3, 0, 0, 1, 1, 1, 4]]),
}


@pytest.mark.parametrize("name", RESULTS)
def test_results(name: str) -> None:
    found = [opened(module).loadRes(copy.deepcopy(RESULTS[name])).dataset for module in SIDES]
    for ours, theirs in zip(*(one.pop("annotations") for one in found)):
        assert list(ours.keys() ^ theirs.keys()) == []
        for field, value in theirs.items():
            assert type(ours[field]) is type(value), field
            assert np.array_equal(ours[field], value), field
    assert found[0] == found[1]


def test_results_are_completed_in_place() -> None:
    results = copy.deepcopy(RESULTS["boxes"])
    opened(SIDES[0]).loadRes(results)
    assert [one["id"] for one in results] == [1, 2, 3]


def test_results_of_an_annotation_object_of_pycocotools() -> None:
    found = COCO.loadRes(opened(pycocotools.coco), copy.deepcopy(RESULTS["boxes"]))
    assert isinstance(found, COCO)
    assert len(found.anns) == 3


def test_no_results() -> None:
    found = opened(SIDES[0]).loadRes([])
    assert found.getAnnIds() == []


SEGMENTATIONS: dict[str, Any] = {
    "polygons": [[1, 1, 5, 1, 5, 4.5], [0, 0, 2, 0, 2, 2, 0, 2]],
    "run lengths": {"size": [6, 8], "counts": [3, 4, 41]},
    "RLE": {"size": [6, 8], "counts": "34Y1"},
}


@pytest.mark.parametrize("name", SEGMENTATIONS)
def test_masks(name: str) -> None:
    annotation = {"id": 1, "image_id": 5, "segmentation": SEGMENTATIONS[name]}
    ours, theirs = (opened(module) for module in SIDES)
    assert ours.annToRLE(annotation) == theirs.annToRLE(annotation)
    np.testing.assert_array_equal(ours.annToMask(annotation), theirs.annToMask(annotation))


BAD_MASKS: dict[str, Any] = {
    "no polygon": [],
    "an empty polygon": [[]],
    "two points": [[1, 1, 3, 3]],
    "an odd polygon": [[1, 1, 3, 3, 2, 2, 5]],
    "not finite": [[1, 1, 3, 3, float("nan"), 2]],
    "huge": [[1, 1, 3, 3, 1e12, 2]],
    "runs beyond the image": {"size": [6, 8], "counts": [3, 400]},
    "counts beyond the image": {"size": [6, 8], "counts": "3[<"},
    "counts that end early": {"size": [6, 8], "counts": "35"},
    "other characters": {"size": [6, 8], "counts": "\u00e9"},
    "no counts": {"size": [6, 8]},
    "a number": 7,
}


@pytest.mark.parametrize("name", BAD_MASKS)
def test_malformed_masks_are_named(name: str) -> None:
    annotation = {"id": 17, "image_id": 5, "segmentation": BAD_MASKS[name]}
    with pytest.raises(InputError, match=r"annotation id 17: the field '(segmentation|counts)'"):
        opened(SIDES[0]).annToMask(annotation)


BOX = {"image_id": 5, "category_id": 1, "score": 0.5, "bbox": [1, 2, 3, 4]}
BAD_RESULTS: dict[str, tuple[Any, str]] = {
    "no list": ({"annotations": []}, "list of detections, not a dict"),
    "an unknown image": ([BOX, {**BOX, "image_id": 6}], r"detections\[1\].*image_id 6"),
    "no image": ([{"bbox": [1, 2, 3, 4]}], r"detections\[0\].*'image_id' is missing"),
    "no record": ([BOX, 3], r"detections\[1\].*'image_id' is missing"),
    "a lacking box": ([BOX, {"image_id": 5, "score": 1}], r"detections\[1\].*'bbox' is missing"),
    "a short box": ([{**BOX, "bbox": [1, 2]}], r"detections\[0\]: is malformed"),
    "no array of results": (np.zeros((3, 6)), r"\(3, 6\)"),
}


@pytest.mark.parametrize("name", BAD_RESULTS)
def test_malformed_results_are_named(name: str) -> None:
    results, message = BAD_RESULTS[name]
    with pytest.raises(InputError, match=message):
        opened(SIDES[0]).loadRes(copy.deepcopy(results))


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ("annotations", "id"),
        ("annotations", "image_id"),
        ("annotations", "category_id"),
        ("images", "id"),
        ("categories", "id"),
    ],
)
def test_a_record_without_an_id_is_named(part: str, field: str) -> None:
    content = dataset()
    del content[part][1][field]
    with pytest.raises(InputError, match=rf"{part}\[1\]: the field '{field}' is missing"):
        opened(SIDES[0], content)


@pytest.mark.parametrize("text", ["[", "[]", '{"images": '])
def test_files_that_hold_no_annotations(text: str, tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text(text)
    with pytest.raises(BenchsuiteError, match=r"truth\.json"):
        COCO(tmp_path / "truth.json")
    with pytest.raises(DataMissingError):
        COCO(tmp_path / "none.json")
