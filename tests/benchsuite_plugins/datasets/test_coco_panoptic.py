"""COCO's panoptic annotations, by themselves and beside instances, in the usual layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchsuite.errors import DataMissingError, InputError, UsageError
from benchsuite.predictions.label_maps import encode_panoptic
from benchsuite.protocols import Dataset, DatasetRequest
from benchsuite.specs import Category, load
from benchsuite_plugins import benchsuite_datasets
from benchsuite_plugins.datasets.coco import CocoOptions, open_coco
from benchsuite_plugins.datasets.coco_format import open_coco_format
from benchsuite_plugins.datasets.coco_panoptic import CocoPanopticOptions, open_coco_panoptic

CATEGORIES = [
    {"id": 1, "name": "person", "isthing": 1, "supercategory": "person"},
    {"id": 92, "name": "banner", "isthing": 0, "supercategory": "textile"},
    {"id": 200, "name": "rug-merged", "isthing": 0, "supercategory": "textile"},
]
THINGS = Category(0, "things", isthing=False)


def write(root: Path) -> Path:
    """Two images, of which the panoptic file lists the second first."""
    coco = root / "coco"
    (coco / "annotations").mkdir(parents=True)
    (coco / "panoptic_val2017").mkdir()
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 4, "height": 2} for i in (9, 3)]
    annotations = []
    for image_id in (9, 3):
        numbers = np.array([[5, 5, 70000, 0], [5, 8, 70000, 0]], np.int32)
        (coco / "panoptic_val2017" / f"{image_id}.png").write_bytes(encode_panoptic(numbers))
        segments = [
            {"id": 5, "category_id": 1, "area": 3, "iscrowd": 0},
            {"id": 8, "category_id": 92, "area": 1, "iscrowd": 0},
            {"id": 70000, "category_id": 200, "area": 2, "iscrowd": 0},
        ]
        annotations.append(
            {"image_id": image_id, "file_name": f"{image_id}.png", "segments_info": segments}
        )
    panoptic = {"images": images, "annotations": annotations, "categories": CATEGORIES}
    (coco / "annotations" / "panoptic_val2017.json").write_text(json.dumps(panoptic))
    instances = {"images": images, "annotations": [], "categories": CATEGORIES[:1]}
    (coco / "annotations" / "instances_val2017.json").write_text(json.dumps(instances))
    return root


def request(root: Path, *tasks: str, **fields: object) -> DatasetRequest:
    return DatasetRequest("val2017", root=root, cache=root, tasks=tasks, **fields)  # type: ignore[arg-type]


def category_ids(dataset: Dataset, task: str) -> set[int]:
    rows = dataset.truth(task).images["segments"].to_pylist()
    return {segment["category_id"] for row in rows for segment in row}


def test_it_serves_what_its_spec_says(tmp_path: Path) -> None:
    (spec,) = (spec for spec in benchsuite_datasets() if spec.name == "coco_panoptic")
    assert load(spec.factory) is open_coco_panoptic
    assert load(str(spec.options)) is CocoPanopticOptions
    dataset = open_coco_panoptic(request(write(tmp_path)))
    assert isinstance(dataset, Dataset) and dataset.tasks == spec.tasks
    assert [record.id for record in dataset.images()] == [3, 9]
    assert dataset.truth("panoptic").images["image_id"].to_pylist() == [3, 9]
    assert [category.id for category in dataset.categories] == [1, 92, 200]
    with pytest.raises(InputError, match="holds no truth for bbox"):
        dataset.truth("bbox")
    of_file = open_coco_format(
        request(tmp_path, annotations=tmp_path / "coco/annotations/panoptic_val2017.json")
    )
    with pytest.raises(UsageError, match="--images DIR"):
        of_file.load(of_file.images()[0])


def test_separated_and_standard_semantic_truth(tmp_path: Path) -> None:
    write(tmp_path)
    separated = open_coco_panoptic(request(tmp_path, "semantic", "panoptic"))
    assert separated.truth("semantic").categories[0] == THINGS
    assert category_ids(separated, "semantic") == {0, 92, 200}
    assert category_ids(separated, "panoptic") == {1, 92, 200}
    options = CocoPanopticOptions(semantic="standard")
    standard = open_coco_panoptic(request(tmp_path, "semantic", options=options))
    assert category_ids(standard, "semantic") == {1, 92, 200}
    assert standard.categories == standard.truth("semantic").categories


@pytest.mark.parametrize("open_dataset", [open_coco_panoptic, open_coco])
def test_for_semantic_maps_alone_categories_are_those_of_stuff(
    tmp_path: Path, open_dataset: type
) -> None:
    dataset = open_dataset(request(write(tmp_path), "semantic"))
    assert [category.name for category in dataset.categories] == ["things", "banner", "rug-merged"]
    assert dataset.categories == dataset.truth("semantic").categories


def test_coco_has_them_beside_instances(tmp_path: Path) -> None:
    dataset = open_coco(request(write(tmp_path), "bbox", "segm", "semantic", "panoptic"))
    assert dataset.tasks == ("bbox", "semantic", "panoptic")
    assert [category.id for category in dataset.categories] == [1, 92, 200]
    assert [category.id for category in dataset.truth("bbox").categories] == [1]
    assert category_ids(dataset, "semantic") == {0, 92, 200}
    instances = open_coco(request(tmp_path, options=CocoOptions(annotations="instances")))
    assert [category.id for category in instances.categories] == [1]


def test_any_panoptic_file(tmp_path: Path) -> None:
    file = write(tmp_path) / "coco" / "annotations" / "panoptic_val2017.json"
    dataset = open_coco_format(request(tmp_path, annotations=file))
    assert dataset.tasks == ("semantic", "panoptic")
    assert category_ids(dataset, "panoptic") == {1, 92, 200}


def test_parts_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match="data fetch coco --split val2017"):
        open_coco_panoptic(request(tmp_path))
    write(tmp_path)
    (tmp_path / "coco" / "panoptic_val2017").rename(tmp_path / "elsewhere")
    with pytest.raises(DataMissingError, match="panoptic_val2017 is not there"):
        open_coco_panoptic(request(tmp_path))
