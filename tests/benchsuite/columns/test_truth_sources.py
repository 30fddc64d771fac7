"""Truth from files, dictionaries and tables: the same, whatever it comes as."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchsuite.columns.sources import read_truth, truth_warnings
from benchsuite.errors import InputError, UsageError
from benchsuite.specs import KeypointLayout

COCO: dict[str, list[dict[str, Any]]] = {
    "images": [
        {"id": 7, "file_name": "b.png", "width": 20, "height": 10},
        {"id": -3, "file_name": "a.png", "width": 30, "height": 40},
    ],
    "annotations": [
        {
            "id": 5,
            "image_id": 7,
            "category_id": 2,
            "bbox": [1.0, 2.0, 3.5, 4.0],
            "area": 9.5,
            "iscrowd": 0,
            "segmentation": [[1.0, 1, 9, 1, 9, 8]],
        },
        {
            "id": 6,
            "image_id": -3,
            "category_id": 0,
            "bbox": [0.0, 0.0, 3.0, 4.0],
            "area": 12.0,
            "iscrowd": 1,
            "segmentation": [[1.0, 1, 9, 1, 9, 18]],
        },
    ],
    "categories": [{"id": 2, "name": "cat", "supercategory": "animal"}, {"id": 0, "name": "dog"}],
}
TABLES = {section: pa.Table.from_pylist(records) for section, records in COCO.items()}


def annotation_file(folder: Path) -> Path:
    path = folder / "truth.json"
    path.write_text(json.dumps(COCO))
    return path


def parquet_files(folder: Path) -> dict[str, Path]:
    paths = {section: folder / f"{section}.parquet" for section in TABLES}
    for section, path in paths.items():
        pq.write_table(TABLES[section], path)
    return paths


def parquet_folder(folder: Path) -> Path:
    parquet_files(folder)
    return folder


FORMS: dict[str, Callable[[Path], Any]] = {
    "path": annotation_file,
    "path as text": lambda folder: str(annotation_file(folder)),
    "dictionary": lambda _: COCO,
    "tables": lambda _: TABLES,
    "three tables": lambda _: tuple(TABLES.values()),
    "data frames": lambda _: {section: pd.DataFrame(rows) for section, rows in COCO.items()},
    "Parquet files": parquet_files,
    "Parquet folder": parquet_folder,
    "own names": lambda _: {
        "images": TABLES["images"].rename_columns({"id": "image_id"}),
        "annotations": TABLES["annotations"].rename_columns({"id": "annotation_id"}),
        "categories": TABLES["categories"].rename_columns({"id": "category_id"}),
    },
    "truth": lambda _: read_truth(COCO, "segm"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("task", ["bbox", "segm"])
def test_forms_of_the_same(tmp_path: Path, form: str, task: str) -> None:
    expected = read_truth(COCO, task)
    found = read_truth(FORMS[form](tmp_path), task)
    names = expected.instances.column_names
    if form in ("truth", "Parquet folder"):
        names.remove("segmentation")  # these hold the truth of all tasks
    assert found.instances.select(names).equals(expected.instances.select(names))
    assert found.images.equals(expected.images)
    assert found.categories == expected.categories


def test_stored_truth_is_read_again() -> None:
    truth = read_truth(COCO)
    again = read_truth((truth.images, truth.instances))
    assert again.instances.equals(truth.instances)
    assert again.images.equals(truth.images)
    assert [category.name for category in again.categories] == ["0", "2"]


def test_columns_that_only_tables_have() -> None:
    images = TABLES["images"].append_column("attributes", pa.array(['{"a": 1}', '{"b": 2}']))
    boxes = pa.array([[1.0, 2, 3, 4, 30], None], pa.list_(pa.float64(), 5))
    annotations = TABLES["annotations"].append_column("rotated_box", boxes)
    truth = read_truth((images, annotations), "bbox")
    assert truth.images["image_id"].to_pylist() == [-3, 7]
    assert truth.images["attributes"].to_pylist() == ['{"b": 2}', '{"a": 1}']
    assert truth.instances["rotated_box"].to_pylist() == [[1, 2, 3, 4, 30], None]


def test_keypoints() -> None:
    points = {"keypoints": [1.0, 2, 2], "num_keypoints": 1}
    content = {**COCO, "annotations": [record | points for record in COCO["annotations"]]}
    layout = KeypointLayout(("nose",), (0.5,))
    truth = read_truth(content, "keypoints", keypoints=layout)
    assert truth.keypoints == layout
    assert truth.instances["keypoints"].to_pylist() == [[1, 2, 2]] * 2
    with pytest.raises(InputError, match="1 keypoints, whose sigmas are not known"):
        read_truth(content, "keypoints")
    seventeen = {"keypoints": [1.0, 2, 2] * 17}
    person = {**COCO, "annotations": [record | seventeen for record in COCO["annotations"]]}
    known = read_truth(person, "keypoints").keypoints
    assert known is not None and len(known.sigmas) == 17


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"images": []}, "no 'annotations'"),
        ({"images": [], "annotations": []}, "no 'categories'"),
        ({**COCO, "images": COCO["images"][:1]}, r"annotations\[1\] \(id 6\): image_id -3"),
        ({**TABLES, "images": TABLES["images"].slice(0, 1)}, r"annotations\[1\].*: image_id -3"),
        ((TABLES["images"], TABLES["annotations"].drop_columns("category_id")), "'category_id'"),
        (
            {**TABLES, "annotations": TABLES["annotations"].drop_columns("bbox")},
            r"annotations\[0\].*: the field 'bbox' is missing",
        ),
    ],
)
def test_truth_that_cannot_be_used(source: Any, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        read_truth(source, "bbox")


def test_sources_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a int"):
        read_truth(5, "bbox")
    with pytest.raises(UsageError, match="a int is no table"):
        read_truth({"images": 5, "annotations": 6}, "bbox")


def test_the_id_0_is_warned_of() -> None:
    assert truth_warnings(read_truth(COCO, "bbox")) == ()
    zero = {**COCO, "annotations": [COCO["annotations"][0], {**COCO["annotations"][1], "id": 0}]}
    [warning] = truth_warnings(read_truth(zero, "bbox"))
    assert "annotations[1] has the id 0" in warning
