"""Folders of PNG maps as truth and predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchsuite.columns.map_folders import (
    read_coco_panoptic_predictions,
    read_prediction_maps,
    read_truth_maps,
)
from benchsuite.errors import DataMissingError, InputError, UsageError
from benchsuite.records import ImageRecord
from benchsuite.schemas import PREDICTION_IMAGES, TRUTH_IMAGES


def write(folder: Path, *names: str, size: tuple[int, int] = (3, 5)) -> Path:
    for place, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        height, width = size[0] + place, size[1]
        Image.fromarray(np.full((height, width), place, np.uint8)).save(folder / name, "PNG")
    return folder


def records(*names: str) -> list[ImageRecord]:
    return [ImageRecord(10 + i, name, 5, 3) for i, name in enumerate(names)]


def test_truth(tmp_path: Path) -> None:
    folder = write(tmp_path / "truth", "b/2.png", "a/10.png", "a/9.PNG")
    (folder / "notes.txt").write_text("no map")
    truth = read_truth_maps(folder, num_classes=3, ignore=1, names=("road", "car", "sky"))
    assert truth.images.schema == TRUTH_IMAGES and truth.instances.num_rows == 0
    assert [(each.id, each.name) for each in truth.categories] == [(0, "road"), (2, "sky")]
    rows = truth.images.select(["image_id", "file_name", "width", "height"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        (1, "a/10.png", 5, 4),
        (2, "a/9.PNG", 5, 5),
        (3, "b/2.png", 5, 3),
    ]
    assert truth.images["semantic_path"][2].as_py() == str(folder / "b" / "2.png")
    assert truth.source == str(folder)


def test_classes_are_called_by_number(tmp_path: Path) -> None:
    truth = read_truth_maps(write(tmp_path, "1.png"), num_classes=2, ignore=255)
    assert [(each.id, each.name) for each in truth.categories] == [(0, "0"), (1, "1")]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"num_classes": 0}, "0 classes cannot be"),
        ({"num_classes": 70000}, "70000 classes cannot be"),
        ({"num_classes": 3, "names": ("a", "b")}, "2 names for 3 classes"),
    ],
)
def test_classes_that_cannot_be(tmp_path: Path, arguments: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        read_truth_maps(write(tmp_path, "1.png"), **arguments)


def test_truth_that_is_missing_or_no_png(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match="there is no folder of maps"):
        read_truth_maps(tmp_path / "gone", 2)
    with pytest.raises(DataMissingError, match="there is no PNG map in the folder"):
        read_truth_maps(tmp_path, 2)
    (tmp_path / "x.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"x\.png: the map is no PNG file"):
        read_truth_maps(tmp_path, 2)


def test_two_maps_of_one_name(tmp_path: Path) -> None:
    write(tmp_path, "x.png", "x.PNG")
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("the file system does not tell them apart")
    with pytest.raises(InputError, match="in its ending alone"):
        read_truth_maps(tmp_path, 2)


def test_predictions_by_path(tmp_path: Path) -> None:
    folder = write(tmp_path, "b/1.png", "a/1.png")
    images = records("a/1.jpg", "b/1.jpeg")
    predictions = read_prediction_maps(folder, images)
    assert predictions.images.schema == PREDICTION_IMAGES
    paths = predictions.images["semantic_path"].to_pylist()
    assert paths == [str(folder / "a" / "1.png"), str(folder / "b" / "1.png")]
    assert predictions.images["image_id"].to_pylist() == [10, 11]
    assert predictions.images["n_instances"].to_pylist() == [0, 0]


def test_predictions_by_name_where_no_path_fits(tmp_path: Path) -> None:
    folder = write(tmp_path, "2.png", "1.png")
    paths = (
        read_prediction_maps(folder, records("val/x/1.jpg", "val/y/2.jpg"))
        .images["semantic_path"]
        .to_pylist()
    )
    assert [Path(path).name for path in paths] == ["1.png", "2.png"]


def test_images_without_map_and_maps_without_image(tmp_path: Path) -> None:
    folder = write(tmp_path, "1.png", "3.png")
    with pytest.raises(InputError, match=r"2 of 3 images have no map: 2, 4\. A map is called"):
        read_prediction_maps(folder, records("1.jpg", "2.jpg", "4.jpg"))
    with pytest.raises(InputError, match=r"1 of 2 maps are of no image of the truth: 3\."):
        read_prediction_maps(folder, records("1.jpg"))


# --- COCO panoptic predictions --------------------------------------------------------------------


def annotation(image_id: Any, **fields: Any) -> dict[str, Any]:
    segments = [{"id": 7, "category_id": 3}, {"id": 9, "category_id": 1, "iscrowd": 0}]
    return {
        "image_id": image_id,
        "file_name": f"{image_id}.png",
        "segments_info": segments,
    } | fields


def panoptic(folder: Path, content: Any) -> Path:
    file = folder / "predictions.json"
    file.write_text(json.dumps(content))
    file.with_suffix("").mkdir(exist_ok=True)
    return file


def test_panoptic_predictions(tmp_path: Path) -> None:
    listed = [annotation(11, segments_info=[]), annotation(10), annotation(99)]
    file = panoptic(tmp_path, {"annotations": listed})
    images = records("a.jpg", "b.jpg")
    predictions = read_coco_panoptic_predictions(file, images)
    assert predictions.images.schema == PREDICTION_IMAGES and predictions.source == str(file)
    first, second = predictions.images.to_pylist()
    assert (first["image_id"], second["image_id"]) == (10, 11)
    assert first["panoptic_path"] == str(tmp_path / "predictions" / "10.png")
    pairs = [(each["id"], each["category_id"]) for each in first["segments"]]
    assert pairs == [(7, 3), (9, 1)] and second["segments"] == []
    alone = panoptic(tmp_path, listed)
    elsewhere = tmp_path / "maps"
    elsewhere.mkdir()
    moved = read_coco_panoptic_predictions(alone, images, elsewhere)
    assert moved.images["panoptic_path"][0].as_py() == str(elsewhere / "10.png")


def test_panoptic_predictions_of_named_images(tmp_path: Path) -> None:
    listed = [annotation("frankfurt_000000_000294"), annotation("plain")]
    file = panoptic(tmp_path, {"annotations": listed})
    images = records("frankfurt/frankfurt_000000_000294_leftImg8bit.png", "plain.jpg")
    paths = read_coco_panoptic_predictions(file, images).images["panoptic_path"].to_pylist()
    assert [Path(path).stem for path in paths] == ["frankfurt_000000_000294", "plain"]


WRONG = [
    ([annotation(10)], "1 of 2 images are not predicted: image ids 11"),
    ([annotation(10), annotation(10)], r"annotations\[1\]: is the second one of image_id 10"),
    ([annotation(10, file_name=None)], r"annotations\[0\]: the field 'file_name' is missing"),
    ([annotation(10, file_name="a\0.png")], "no file can be called"),
    ([annotation(10, file_name="\ud800.png")], "no file can be called"),
    ([annotation(10, file_name="a/..")], "no file can be called"),
    ([annotation(None)], r"annotations\[0\]: the field 'image_id' is null, not a number or a name"),
    (
        [annotation(10), annotation(11, segments_info=None)],
        r"annotations\[1\]: the field 'segments_info' is missing",
    ),
    (
        [annotation(10), annotation(11, segments_info={})],
        r"annotations\[1\]: the field 'segments_info' is a JSON object, no array",
    ),
    (
        [annotation(10), annotation(11, segments_info=[{"id": 1, "category_id": 1}, {"id": 2}])],
        r"annotations\[1\]\.segments_info\[1\] \(id 2\): the field 'category_id' is missing",
    ),
    (
        [annotation(10), annotation(11, segments_info=[{"id": 1, "category_id": 1}] * 2)],
        r"annotations\[1\]\.segments_info\[1\] \(id 1\): has the same id as another segment",
    ),
    (
        [annotation(10, segments_info=[]), annotation(11, segments_info=[7])],
        r"annotations\[1\]: segments_info\[0\] is a number \(7\), not an object",
    ),
]


@pytest.mark.parametrize(("listed", "problem"), WRONG)
def test_panoptic_predictions_that_are_wrong(tmp_path: Path, listed: Any, problem: str) -> None:
    file = panoptic(tmp_path, {"annotations": listed})
    with pytest.raises(InputError, match=problem) as caught:
        read_coco_panoptic_predictions(file, records("a.jpg", "b.jpg"))
    assert str(file) in str(caught.value)


def test_panoptic_maps_that_are_not_there(tmp_path: Path) -> None:
    file = panoptic(tmp_path, [])
    file.with_suffix("").rmdir()
    with pytest.raises(DataMissingError, match=r"predictions\.json are not there"):
        read_coco_panoptic_predictions(file, [])
    with pytest.raises(DataMissingError, match="panoptic predictions file"):
        read_coco_panoptic_predictions(tmp_path / "gone.json", [])
