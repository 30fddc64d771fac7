from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from benchsuite.errors import DataMissingError, InputError
from benchsuite.schemas import TRUTH_IMAGES, TRUTH_INSTANCES
from benchsuite_kernels.columns.label_maps import decode
from benchsuite_plugins.datasets.coco_format import CocoFormatDataset
from benchsuite_plugins.datasets.panoptic_annotations import THINGS

SEGMENT = {"id": 258, "category_id": 1, "iscrowd": 0, "area": 3, "bbox": [0, 0, 3, 1]}

CATEGORIES = [{"id": 1, "name": "thing", "isthing": 1}, {"id": 200, "name": "stuff", "isthing": 0}]


def written(folder: Path, **fields: Any) -> tuple[Path, Path]:
    """An instance file and a panoptic file of one image of 3 x 2 pixels."""
    instances, panoptic = folder / "instances.json", folder / "panoptic.json"
    image = {"id": 5, "file_name": "five.jpg", "width": 3, "height": 2}
    things = {"images": [image], "annotations": [], "categories": CATEGORIES[:1]}
    instances.write_text(json.dumps(things))
    stuff = {**SEGMENT, "id": 7, "category_id": 200, "iscrowd": 1}
    content = {
        "annotations": [
            {"image_id": 5, "file_name": "five.png", "segments_info": [SEGMENT, stuff]}
        ],
        "categories": CATEGORIES,
        **fields,
    }
    panoptic.write_text(json.dumps(content))
    (folder / "panoptic").mkdir(exist_ok=True)
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0], pixels[1] = [2, 1, 0], [7, 0, 0]
    PillowImage.fromarray(pixels).save(folder / "panoptic" / "five.png")
    return instances, panoptic


def opened(folder: Path, **fields: Any) -> CocoFormatDataset:
    instances, panoptic = written(folder, **fields)
    return CocoFormatDataset(instances, None, panoptic=panoptic)


def test_truth(tmp_path: Path) -> None:
    dataset = opened(tmp_path)
    assert dataset.tasks == ("bbox", "semantic", "panoptic")
    truth = dataset.truth("panoptic")
    assert truth.images.schema == TRUTH_IMAGES
    assert truth.instances.schema == TRUTH_INSTANCES
    assert [(c.id, c.isthing) for c in truth.categories] == [(1, True), (200, False)]
    (row,) = truth.images.to_pylist()
    assert decode(row["panoptic_path"], "colour").tolist() == [[258] * 3, [7] * 3]
    assert row["segments"] == [
        {
            "id": 258,
            "category_id": 1,
            "isthing": True,
            "iscrowd": False,
            "area": 3,
            "score": None,
        },
        {"id": 7, "category_id": 200, "isthing": False, "iscrowd": True, "area": 3, "score": None},
    ]


def test_hash_covers_both_files(tmp_path: Path) -> None:
    instances, panoptic = written(tmp_path)
    both = CocoFormatDataset(instances, None, panoptic=panoptic).annotation_sha256
    assert both != CocoFormatDataset(instances, None).annotation_sha256
    panoptic.write_text(panoptic.read_text() + "\n")
    assert both != CocoFormatDataset(instances, None, panoptic=panoptic).annotation_sha256


def test_maps_one_level_up(tmp_path: Path) -> None:
    inner = tmp_path / "annotations"
    inner.mkdir()
    instances, panoptic = written(inner)
    shutil.move(inner / "panoptic", tmp_path / "panoptic")
    truth = CocoFormatDataset(instances, None, panoptic=panoptic).truth("panoptic")
    assert truth.images["panoptic_path"].null_count == 0


def test_things_as_one_semantic_category(tmp_path: Path) -> None:
    dataset = opened(tmp_path)
    truth, panoptic = dataset.truth("semantic"), dataset.truth("panoptic")
    assert truth.categories == (THINGS, panoptic.categories[1])
    (row,) = truth.images.to_pylist()
    assert [(each["id"], each["category_id"]) for each in row["segments"]] == [(258, 0), (7, 200)]
    assert truth.images.drop(["segments"]) == panoptic.images.drop(["segments"])


def test_image_without_map(tmp_path: Path) -> None:
    (row,) = opened(tmp_path, annotations=[]).truth("panoptic").images.to_pylist()
    assert row["panoptic_path"] is None
    assert row["segments"] is None


def test_real_file(tmp_path: Path, shared_data: Path) -> None:
    sample = shared_data / "panoptic_sample"
    content = json.loads((sample / "panoptic_examples.json").read_text())
    instances = tmp_path / "instances.json"
    instances.write_text(json.dumps({**content, "annotations": []}))
    dataset = CocoFormatDataset(instances, None, panoptic=sample / "panoptic_examples.json")
    truth = dataset.truth("panoptic")
    assert len(truth.categories) == 133
    for row in truth.images.to_pylist():
        numbers, areas = np.unique(decode(row["panoptic_path"], "colour"), return_counts=True)
        found = dict(zip(numbers.tolist(), areas.tolist()))
        found.pop(0, None)
        assert {segment["id"]: segment["area"] for segment in row["segments"]} == found
    segments = [segment for row in truth.images.to_pylist() for segment in row["segments"]]
    assert len(segments) == 50
    assert sum(segment["iscrowd"] for segment in segments) == 3


# --- bad input ------------------------------------------------------------------------------------


def annotation(**fields: Any) -> list[dict[str, Any]]:
    return [{"image_id": 5, "file_name": "five.png", "segments_info": [SEGMENT], **fields}]


@pytest.mark.parametrize(
    ("annotations", "problem"),
    [
        (annotation(segments_info=None), r"annotations\[0\]: the field 'segments_info'"),
        (annotation(file_name=None), r"annotations\[0\]: the field 'file_name' is missing"),
        (annotation() * 2, r"annotations\[1\]: is the second one of image_id 5"),
        (
            annotation(segments_info=[{**SEGMENT, "category_id": 2}]),
            r"annotations\[0\]\.segments_info\[0\] \(id 258\): category_id 2 is not among",
        ),
        (
            annotation(segments_info=[SEGMENT, SEGMENT]),
            r"segments_info\[1\] \(id 258\): has the same id",
        ),
    ],
)
def test_wrong_annotations(tmp_path: Path, annotations: Any, problem: str) -> None:
    with pytest.raises(InputError, match=rf"panoptic\.json, .*{problem}"):
        opened(tmp_path, annotations=annotations)


def test_maps_are_missing(tmp_path: Path) -> None:
    instances, panoptic = written(tmp_path)
    shutil.rmtree(tmp_path / "panoptic")
    with pytest.raises(DataMissingError, match=r"the maps of .*panoptic\.json are not there"):
        CocoFormatDataset(instances, None, panoptic=panoptic)


def test_file_is_missing(tmp_path: Path) -> None:
    instances, _ = written(tmp_path)
    with pytest.raises(DataMissingError, match="panoptic annotation file"):
        CocoFormatDataset(instances, None, panoptic=tmp_path / "none.json")
