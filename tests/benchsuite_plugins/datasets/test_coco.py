"""COCO's layout: which file serves which command, and what is said where one is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from benchsuite.errors import DataMissingError, InputError, UsageError
from benchsuite.protocols import Dataset, DatasetRequest, PublishedDataset
from benchsuite_plugins.datasets.coco import (
    PERSON_KEYPOINTS,
    CocoOptions,
    missing,
    open_coco,
)

INSTANCES = "instances_val2014_100.json"


def request(root: Path, split: str = "val2017", **fields: Any) -> DatasetRequest:
    return DatasetRequest(split=split, root=root, cache=root / "cache", **fields)


def annotation(identity: int, image_id: int, category_id: int, **fields: Any) -> dict[str, Any]:
    square = [2, 2, 12, 2, 12, 12, 2, 12]
    return {
        "id": identity,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": [2, 2, 10, 10],
        "area": 100,
        "iscrowd": 0,
        "segmentation": [square],
        **fields,
    }


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two images of val2017 with all three kinds of annotations."""
    for variable in ("BENCHSUITE_DATASETS", "DETECTRON2_DATASETS"):
        monkeypatch.delenv(variable, raising=False)
    coco = tmp_path / "datasets" / "coco"
    (coco / "annotations").mkdir(parents=True)
    images = [
        {"id": number, "file_name": f"{number:012}.jpg", "width": 20, "height": 16}
        for number in (139, 285)
    ]
    person = {"id": 1, "name": "person", "supercategory": "person"}
    bicycle = {"id": 2, "name": "bicycle", "supercategory": "vehicle"}
    write(
        coco / "annotations" / "instances_val2017.json",
        images=images,
        categories=[person, bicycle],
        annotations=[annotation(1, 139, 1), annotation(2, 285, 2)],
    )
    points = [6, 6, 2] * 17
    write(
        coco / "annotations" / "person_keypoints_val2017.json",
        images=images,
        categories=[{**person, "keypoints": list(PERSON_KEYPOINTS.names), "skeleton": []}],
        annotations=[annotation(1, 139, 1, keypoints=points, num_keypoints=17)],
    )
    segment = {"id": 1, "category_id": 1, "iscrowd": 0, "area": 320}
    write(
        coco / "annotations" / "panoptic_val2017.json",
        images=images,
        categories=[{**person, "isthing": 1}, {"id": 92, "name": "banner", "isthing": 0}],
        annotations=[
            {"image_id": n, "file_name": f"{n:012}.png", "segments_info": [segment]}
            for n in (139, 285)
        ],
    )
    for folder, ending in (("val2017", "jpg"), ("panoptic_val2017", "png")):
        (coco / folder).mkdir()
        for number in (139, 285):
            pixels = np.zeros((16, 20, 3), np.uint8)
            pixels[..., 0] = 1
            PIL.Image.fromarray(pixels).save(coco / folder / f"{number:012}.{ending}")
    return tmp_path / "datasets"


def write(path: Path, **content: Any) -> None:
    path.write_text(json.dumps(content))


def test_instances_are_the_default(root: Path) -> None:
    dataset = open_coco(request(root))
    assert isinstance(dataset, Dataset) and isinstance(dataset, PublishedDataset)
    assert dataset.tasks == ("bbox", "segm")
    assert [category.name for category in dataset.categories] == ["person", "bicycle"]
    assert dataset.published_image_count == 5000
    assert dataset.published_annotation_sha256 is not None
    assert [record.id for record in dataset.images()] == [139, 285]
    assert dataset.load(dataset.images()[0]).pixels.shape == (16, 20, 3)
    assert dataset.truth("bbox").instances.num_rows == 2


@pytest.mark.parametrize(
    ("tasks", "served"),
    [
        (("bbox", "segm"), ("bbox", "segm")),
        (("bbox", "keypoints"), ("bbox", "segm", "keypoints")),
        (("bbox", "segm", "semantic", "panoptic"), ("bbox", "segm", "panoptic")),
    ],
)
def test_the_file_is_chosen_by_what_the_command_is_about(
    root: Path, tasks: tuple[str, ...], served: tuple[str, ...]
) -> None:
    dataset = open_coco(request(root, tasks=tasks))
    assert set(served) <= set(dataset.tasks)
    assert ("keypoints" in served) == ("keypoints" in dataset.tasks)
    assert ("panoptic" in served) == ("panoptic" in dataset.tasks)


def test_keypoints_are_of_people_alone(root: Path) -> None:
    dataset = open_coco(request(root, options=CocoOptions(annotations="person_keypoints")))
    assert [category.name for category in dataset.categories] == ["person"]
    assert dataset.keypoints == PERSON_KEYPOINTS
    truth = dataset.truth("keypoints")
    assert truth.keypoints == PERSON_KEYPOINTS
    assert truth.instances["num_keypoints"].to_pylist() == [17]


def test_panoptic_maps(root: Path) -> None:
    dataset = open_coco(request(root, options=CocoOptions(annotations="panoptic")))
    assert dataset.truth("panoptic").images.num_rows == 2
    assert [category.id for category in dataset.truth("panoptic").categories] == [1, 92]
    assert dataset.truth("bbox").instances.num_rows == 2
    others = open_coco(request(root)).annotation_sha256
    assert dataset.annotation_sha256 != others


def test_panoptic_maps_do_not_exist_for_2014(root: Path) -> None:
    with pytest.raises(UsageError, match="only COCO 2017"):
        open_coco(request(root, "val2014", tasks=("panoptic",)))


def test_a_missing_annotation_file_says_where_and_how(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DETECTRON2_DATASETS", str(root))
    with pytest.raises(DataMissingError) as caught:
        open_coco(request(root, "train2014"))
    message = str(caught.value)
    assert str(root / "coco" / "annotations" / "instances_train2014.json") in message
    assert "$BENCHSUITE_DATASETS is not set" in message
    assert f"$DETECTRON2_DATASETS is {root}" in message
    assert "benchsuite data fetch coco --split train2014" in message


@pytest.mark.parametrize(
    ("gone", "tasks"),
    [
        ("annotations/person_keypoints_val2017.json", ("keypoints",)),
        ("annotations/panoptic_val2017.json", ("panoptic",)),
        ("panoptic_val2017", ("panoptic",)),
    ],
)
def test_any_missing_part_says_how_to_get_it(root: Path, gone: str, tasks: tuple[str]) -> None:
    path = root / "coco" / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DataMissingError, match="benchsuite data fetch coco --split val2017") as e:
        open_coco(request(root, tasks=tasks))
    assert str(path) in str(e.value)


def test_a_variable_that_names_coco_itself_is_told(root: Path) -> None:
    error = missing("the annotation file", root / "coco" / "coco", "val2017")
    assert f"There is {root / 'coco' / 'annotations'}" in str(error)


def test_images_are_missed_when_one_is_loaded(root: Path) -> None:
    shutil.rmtree(root / "coco" / "val2017")
    dataset = open_coco(request(root))
    assert dataset.truth("bbox").instances.num_rows == 2
    with pytest.raises(DataMissingError, match=r"image folder .*val2017 is not there"):
        dataset.load(dataset.images()[0])


def test_a_folder_without_any_of_the_images_is_an_error(root: Path) -> None:
    folder = root / "coco" / "val2017"
    for path in folder.iterdir():
        path.rename(path.with_name(f"COCO_val2014_{path.name}"))
    with pytest.raises(InputError, match="none of its 2 images"):
        open_coco(request(root))


def test_a_linked_image_folder_works(root: Path, tmp_path: Path) -> None:
    folder = root / "coco" / "val2017"
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    dataset = open_coco(request(root))
    assert dataset.load(dataset.images()[1]).record.id == 285


def test_images_of_one_s_own_folder(root: Path, tmp_path: Path) -> None:
    (root / "coco" / "val2017").rename(tmp_path / "elsewhere")
    dataset = open_coco(request(root, images=tmp_path / "elsewhere"))
    assert dataset.load(dataset.images()[0]).record.id == 139
    with pytest.raises(DataMissingError, match="nowhere"):
        open_coco(request(root, images=tmp_path / "nowhere"))


def test_real_annotations(tmp_path: Path, shared_data: Path) -> None:
    folder = tmp_path / "coco" / "annotations"
    folder.mkdir(parents=True)
    shutil.copy(shared_data / "coco_val2014_100" / INSTANCES, folder / "instances_val2014.json")
    dataset = open_coco(request(tmp_path, "val2014"))
    assert len(dataset.categories) == 80 and len(dataset.images()) == 100
