"""Predictions from files, tables, arrays and records: the same, whatever they come as."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from benchsuite.columns.sources import read_counted_predictions, read_predictions
from benchsuite.errors import DataMissingError, InputError, UsageError
from benchsuite.protocols import Predictions
from benchsuite.records import ImageRecord
from benchsuite.schemas import PREDICTION_INSTANCES, TRUTH_IMAGES
from benchsuite.specs import Category
from benchsuite_kernels.columns import rle

IMAGES = [ImageRecord(7, "a.png", 20, 10), ImageRecord(0, "b.png", 20, 10)]
CATEGORIES = [Category(3, "cat"), Category(4, "dog")]
MASK = {"size": [10, 20], "counts": rle.encode(np.eye(10, 20, dtype=np.uint8)).decode()}
DETECTIONS = [
    {"image_id": 7, "category_id": 3, "bbox": [1.5, -2.0, 3.0, 4.25], "score": 0.5},
    {"image_id": 0, "category_id": 4, "bbox": [0.0, 1.0, 2.0, 0.0], "score": -1.0},
    {"image_id": 7, "category_id": 4, "bbox": [3.0, 1.0, 2.0, 9.0], "score": 0.75},
]
ARRAY = np.array([[d["image_id"], *d["bbox"], d["score"], d["category_id"]] for d in DETECTIONS])


def read(source: Any, task: str = "bbox", **options: Any) -> Predictions:
    return read_predictions(source, IMAGES, CATEGORIES, task, **options)


def results_file(folder: Path, detections: Any) -> Path:
    path = folder / "results.json"
    path.write_text(json.dumps(detections))
    return path


def four_columns(*names: str) -> pa.Table:
    table = pa.Table.from_pylist(DETECTIONS)
    boxes = np.array([d["bbox"] for d in DETECTIONS])
    table = table.drop_columns("bbox")
    for name, side in zip(names, boxes.T):
        table = table.append_column(name, pa.array(side))
    return table


LOOSE = pa.Table.from_pylist(DETECTIONS)
FORMS: dict[str, Callable[[Path], Any]] = {
    "path": lambda folder: results_file(folder, DETECTIONS),
    "path as text": lambda folder: str(results_file(folder, DETECTIONS)),
    "records": lambda _: DETECTIONS,
    "tuple of records": lambda _: tuple(DETECTIONS),
    "array": lambda _: ARRAY,
    "array of float32": lambda _: ARRAY.astype(np.float32),
    "table": lambda _: LOOSE,
    "record batch": lambda _: LOOSE.to_batches()[0],
    "reader": lambda _: LOOSE.to_reader(),
    "table in chunks": lambda _: pa.concat_tables([LOOSE.slice(0, 1), LOOSE.slice(1)]),
    "four columns": lambda _: four_columns("x", "y", "width", "height"),
    "four short columns": lambda _: four_columns("x", "y", "w", "h"),
    "data frame": lambda _: pd.DataFrame(DETECTIONS),
    "narrow types": lambda _: LOOSE.cast(
        pa.schema(
            [
                ("image_id", pa.uint8()),
                ("category_id", pa.float64()),
                ("bbox", pa.large_list(pa.float32())),
                ("score", pa.float32()),
            ]
        )
    ),
    "dictionaries": lambda _: LOOSE.set_column(
        1, "category_id", LOOSE["category_id"].dictionary_encode()
    ),
    "store's schema": lambda _: read(DETECTIONS).instances,
    "rows in another order": lambda _: read(DETECTIONS).instances.take(pa.array([2, 0, 1])),
    "predictions": lambda _: read(DETECTIONS),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_the_same(tmp_path: Path, form: str) -> None:
    found = read(FORMS[form](tmp_path))
    assert found.instances.equals(read(DETECTIONS).instances)
    assert found.images.equals(read(DETECTIONS).images)


def test_values() -> None:
    found = read(DETECTIONS).instances
    assert found.schema == PREDICTION_INSTANCES
    expected = [{"prediction": place, **record} for place, record in enumerate(DETECTIONS)]
    names = ["prediction", "image_id", "category_id", "bbox", "score"]
    assert found.select(names).to_pylist() == expected


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather", ".of no kind"])
def test_table_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"predictions{suffix}"
    table = LOOSE.append_column("caption", pa.array(["not", "looked", "at"]))
    if suffix == ".arrow":
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    elif suffix == ".feather":
        pyarrow.feather.write_feather(table, str(path), compression="zstd")
    else:
        pq.write_table(table, path)
    found = read_counted_predictions(path, IMAGES, CATEGORIES, "bbox")
    assert found.predictions.instances.equals(read(DETECTIONS).instances)
    assert found.predictions.source == str(path)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_hash_of_a_results_file(tmp_path: Path) -> None:
    path = results_file(tmp_path, DETECTIONS)
    found = read_counted_predictions(path, IMAGES, CATEGORIES, "bbox")
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_images_of_a_table() -> None:
    columns = {
        "image_id": [7, 0],
        "file_name": ["a.png", "b.png"],
        "width": [20, 20],
        "height": [10, 10],
    }
    rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
    images = pa.Table.from_pylist(rows, schema=TRUTH_IMAGES)
    found = read_predictions(DETECTIONS, images, CATEGORIES, "bbox")
    assert found.images.equals(read(DETECTIONS).images)


# --- masks and keypoints ----------------------------------------------------------------------

POLYGON = [[1.0, 1, 9, 1, 9, 8]]


@pytest.mark.parametrize(
    "mask",
    [
        MASK,
        {"size": [10, 20], "counts": MASK["counts"].encode()},
        {"size": [10, 20], "counts": [5, 3, 192]},
        POLYGON,
    ],
)
@pytest.mark.parametrize("stored", [False, True])
def test_masks_in_tables(tmp_path: Path, mask: Any, stored: bool) -> None:
    records = [
        {"image_id": 7, "category_id": 3, "score": 0.5, "segmentation": mask},
        {"image_id": 0, "category_id": 3, "score": 0.25, "segmentation": mask},
    ]
    table = pa.Table.from_pylist(records)
    source: Any = table
    if stored:
        source = tmp_path / "masks.parquet"
        pq.write_table(table, source)
    for task in ("segm", "bbox"):
        assert read(source, task).instances.equals(read(records, task).instances)


def test_fixed_sizes_and_absent_masks() -> None:
    predictions = read(
        [
            {**DETECTIONS[0], "segmentation": MASK},
            {**DETECTIONS[1], "segmentation": None},
        ]
    ).instances
    assert read(predictions).instances.equals(predictions)
    chunks = pa.concat_tables([predictions.slice(1), predictions.slice(0, 1)])
    with_places = chunks.set_column(0, "prediction", pa.array([0, 1]))
    masks = read(with_places).instances["segmentation"].to_pylist()
    assert masks == [None, {**MASK, "counts": MASK["counts"].encode()}]


def test_keypoints_in_tables() -> None:
    records = [
        {"image_id": 7, "category_id": 3, "score": 0.5, "keypoints": [1.5, 2, 0.25, 3, 4, -1]}
    ]
    expected = read(records, "keypoints").instances
    table = pa.Table.from_pylist(records)
    assert read(table, "keypoints").instances.equals(expected)
    fixed = table.set_column(3, "keypoints", table["keypoints"].cast(pa.list_(pa.float64(), 6)))
    assert read(fixed, "keypoints").instances.equals(expected)


def test_rotated_boxes_in_tables() -> None:
    table = LOOSE.append_column("rotated_box", pa.array([[1.0, 2, 3, 4, 45]] * 3))
    assert read(table, "rotated").instances["rotated_box"].to_pylist() == [[1, 2, 3, 4, 45]] * 3


# --- what cannot be scored --------------------------------------------------------------------


def column(name: str, values: list[Any], of: pa.DataType | None = None) -> pa.Table:
    place = LOOSE.column_names.index(name)
    return LOOSE.set_column(place, name, pa.array(values, of))


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (LOOSE.drop_columns("score"), r"rows\[0\]: the field 'score' is missing"),
        (LOOSE.drop_columns("bbox"), r"rows\[0\]: the field 'bbox' is missing"),
        (LOOSE.drop_columns("image_id"), r"rows\[0\]: the field 'image_id' is missing"),
        (column("score", ["a", "b", "c"]), "the column 'score' is of type string"),
        (column("score", [True, False, True]), "the column 'score' is of type bool"),
        (column("image_id", [True, False, True]), "the column 'image_id' is of type bool"),
        (column("score", [0.5, math.nan, 1]), r"rows\[1\]: the field 'score' is nan"),
        (column("score", [0.5, None, 1]), r"rows\[1\]: the field 'score' is missing"),
        (column("image_id", [7, 0.5, 7]), r"rows\[1\]: the field 'image_id' is 0.5"),
        (column("image_id", [7.0, math.nan, 7]), r"rows\[1\]: the field 'image_id' is nan"),
        (column("image_id", [7, 0, 2**63], pa.uint64()), r"rows\[2\]: .* not an integer of 64"),
        (column("image_id", [7, 0, 8]), r"rows\[2\]: image_id 8 is not among"),
        (column("category_id", [3, 3, 5]), r"rows\[2\]: category_id 5 is not among"),
        (column("bbox", [[1, 2, 3, 4], [1, 2, 3], None]), r"rows\[1\]: .*'bbox' has 3 numbers"),
        (column("bbox", [[1, 2, 3, 4], [1, None, 3, 4], None]), r"rows\[1\]: .*'bbox' holds .*nan"),
        (column("bbox", [[1.0, 2, 3, 4], [1, 2, -3, 4], None]), r"rows\[1\]: .*negative"),
        (column("bbox", [[1, 2, 3, 4], None, [1, 2, 3, 4]]), r"rows\[1\]: .*'bbox' is missing"),
        (column("bbox", ["1 2 3 4"] * 3), "the column 'bbox' is of type string"),
        (
            LOOSE.append_column("prediction", pa.array([4, 5, 4])),
            r"rows\[2\]: has the same 'prediction' as rows\[0\]",
        ),
        (LOOSE.append_column("prediction", pa.array([4, None, 5])), "'prediction' is missing"),
        (
            LOOSE.append_column("segmentation", pa.array(["x"] * 3)),
            "the column 'segmentation' is of type string",
        ),
    ],
)
def test_tables_that_cannot_be_scored(table: pa.Table, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        read(table)


@pytest.mark.parametrize(
    ("mask", "problem"),
    [
        ({"size": [10], "counts": "0"}, "has not two sides"),
        ({"size": [20, 10], "counts": "0"}, r"size \[20, 10\]"),
        ({"size": [10, 20], "counts": None}, "counts are null"),
        ({"size": [10, 20], "counts": "~"}, "malformed"),
    ],
)
def test_masks_that_cannot_be_scored(mask: Any, problem: str) -> None:
    good = {"image_id": 7, "category_id": 3, "score": 0.5, "segmentation": MASK}
    table = pa.Table.from_pylist([good, {**good, "segmentation": mask}])
    with pytest.raises(InputError, match=rf"rows\[1\]: .*{problem}"):
        read(table, "segm")


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.zeros((2, 6)), r"array \(N, 7\)"),
        (np.zeros(7), r"array \(N, 7\)"),
        (np.array([["7"] * 7]), r"array \(N, 7\)"),
        (np.array([[7.5, 0, 0, 1, 1, 1, 3]]), r"detections\[0\]: .*'image_id' is 7.5"),
        (np.array([[7, 0, 0, 1, 1, 1, math.nan]]), r"detections\[0\]: .*'category_id' is nan"),
        (np.array([[7, 0, 0, 1, -1, 1, 3]]), r"detections\[0\]: .*negative"),
    ],
)
def test_arrays_that_cannot_be_scored(array: np.ndarray, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        read(array)


def test_sources_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a int"):
        read(5)
    with pytest.raises(DataMissingError, match="is not there"):
        read(tmp_path / "nothing.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read(tmp_path / "broken.parquet")
    (tmp_path / "broken.arrow").write_bytes(b"ARROW1 and then nothing")
    with pytest.raises(InputError, match="cannot be read as Parquet or Arrow"):
        read(tmp_path / "broken.arrow")
    with pytest.raises(InputError, match=r"detections\[1\]: is a number"):
        read([DETECTIONS[0], 3])


def test_nothing_found(tmp_path: Path) -> None:
    empty = tmp_path / "empty.parquet"
    pq.write_table(LOOSE.slice(0, 0), empty)
    for source in ([], results_file(tmp_path, []), np.zeros((0, 7)), empty):
        assert read(source).instances.num_rows == 0
        assert read(source).images.num_rows == 2


def test_categories_of_proposals_are_not_looked_at() -> None:
    assert read([{**DETECTIONS[0], "category_id": 99}], "proposals").instances.num_rows == 1


# --- leniency ---------------------------------------------------------------------------------


def spoiled(place: int, **fields: Any) -> list[dict[str, Any]]:
    return [
        record | (fields if number == place else {}) for number, record in enumerate(DETECTIONS)
    ]


@pytest.mark.parametrize("through", ["records", "file", "table"])
@pytest.mark.parametrize(
    ("fields", "problem", "dropped"),
    [
        ({"image_id": 8}, "an image_id that is not among the dataset's images", True),
        ({"category_id": 8}, "a category_id that is not among the dataset's categories", True),
        ({"score": math.nan}, "a score that is not finite", False),
        ({"score": -math.inf}, "a score that is not finite", False),
        ({"bbox": [1.0, 2, -3, 4]}, "a box of negative width or height", False),
    ],
)
def test_what_is_let_pass(
    tmp_path: Path, through: str, fields: dict[str, Any], problem: str, dropped: bool
) -> None:
    records = spoiled(1, **fields)
    source: Any = records
    if through == "file":
        source = results_file(tmp_path, records)
    elif through == "table":
        source = pa.Table.from_pylist(records)
    with pytest.raises(InputError):
        read(source)
    found = read_counted_predictions(source, IMAGES, CATEGORIES, "bbox", lenient=True)
    [let_pass] = found.let_pass
    assert let_pass.problem == problem
    assert let_pass.count == 1
    assert let_pass.first == ("rows[1]" if through == "table" else "detections[1]")
    assert found.dropped == int(dropped)
    assert str(let_pass).startswith(f"1 record has {problem} (first: ")
    places = found.predictions.instances["prediction"].to_pylist()
    assert places == ([0, 2] if dropped else [0, 1, 2])
    assert found.predictions.images["n_instances"].to_pylist() == ([2, 0] if dropped else [2, 1])


def test_masks_of_unknown_images_are_not_looked_at() -> None:
    good = {"image_id": 7, "category_id": 3, "score": 0.5, "segmentation": MASK}
    elsewhere = {**good, "image_id": 9, "segmentation": {"size": [3, 3], "counts": "9"}}
    found = read([elsewhere, good], "segm", lenient=True).instances
    assert found["prediction"].to_pylist() == [1]
    assert found["segmentation"].to_pylist()[0]["counts"] == MASK["counts"].encode()


def test_the_first_detection_decides_even_if_it_is_left_out() -> None:
    """pycocotools takes the areas of masks where the file's first record has no box."""
    with_box = {**DETECTIONS[0], "segmentation": MASK}
    first = {"image_id": 9, "category_id": 3, "score": 0.5, "segmentation": MASK}
    found = read([first, with_box], "segm", lenient=True).instances
    assert found["bbox"].to_pylist() == [None]
    strict = read([{**first, "image_id": 7}, with_box], "segm").instances
    assert strict["bbox"].to_pylist() == [None, with_box["bbox"]]


def test_what_leniency_does_not_let_pass() -> None:
    for fields in ({"score": "1"}, {"bbox": [1, 2, 3]}, {"image_id": None}):
        with pytest.raises(InputError, match=r"detections\[1\]"):
            read(spoiled(1, **fields), lenient=True)


def test_nothing_is_known() -> None:
    found = read_counted_predictions(DETECTIONS, [], CATEGORIES, "bbox", lenient=True)
    assert found.dropped == 3 and found.predictions.instances.num_rows == 0
