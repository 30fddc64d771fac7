"""Files read through the scanner and through json: the same tables, the same errors."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchsuite.columns import annotation_file, coco_results
from benchsuite.columns.annotation_file import AnnotationFile
from benchsuite.columns.coco_results import read_coco_results
from benchsuite.errors import BenchsuiteError
from benchsuite.records import ImageRecord
from benchsuite.specs import Category
from benchsuite_kernels.columns import rle
from benchsuite_kernels.dispatch import native

quick = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    max_examples=2 * settings.default.max_examples,
)

IMAGES = [ImageRecord(7, "a.png", 20, 10), ImageRecord(0, "b.png", 5, 6)]
CATEGORIES = [Category(3, "cat"), Category(2**40, "dog")]

numbers = st.floats(-50, 50) | st.integers(-3, 30)
sides = st.floats(0, 50) | st.integers(0, 9)
ids = st.sampled_from([7, 0, 7.0])
category_ids = st.sampled_from([3, 2**40])
flags = st.sampled_from([0, 1, True, False, 2.0, None])
odd = st.sampled_from(
    [math.nan, math.inf, -1, 5, "7", "1", None, True, 7.5, 2**70, 10**400, [], {}, [1], "\u0001é"]
)
odd_masks = st.sampled_from(
    [
        {"size": [10, 20], "counts": "0~"},
        {"size": [10, 20], "counts": "é"},
        {"size": [10, 20], "counts": [100, "100"]},
        {"size": [10, 20], "counts": [100, -1, 101]},
        {"size": [10, 20], "counts": []},
        {"size": [6, 5], "counts": [30]},
        {"size": [10, 20]},
        {"size": [10], "counts": "0"},
        {"size": ["10", 20], "counts": "0"},
        [[1, 1, 2, 2]],
        [[1, 1, 2, 2, 3, 1e9]],
        [[1, 1, 2, 2, 3, math.nan]],
        [[1, 1, 2, 2, 3, None]],
        [[]],
        [1, 2, 3, 4, 5, 6],
    ]
)
odd_boxes = st.sampled_from([[1, 2, 3], [1, 2, -3, 4], [1, 2, 3, math.nan], [1, 2, 3, "4"]])


@st.composite
def masks(draw: st.DrawFn) -> Any:
    """Of an image of 10 x 20 pixels."""
    kind = draw(st.integers(0, 2))
    if kind == 0:
        bits = np.frombuffer(draw(st.binary(min_size=200, max_size=200)), np.uint8) & 1
        return {"size": [10, 20], "counts": rle.encode(bits.reshape(10, 20)).decode()}
    if kind == 1:
        first = draw(st.integers(0, 200))
        return {"counts": [first, 200 - first], "size": [10.0, 20]}
    return draw(st.lists(st.lists(numbers, min_size=6, max_size=6), max_size=2))


def spoiled(draw: Callable[..., Any], records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records, their fields in any order, one of which may be odd or missing."""
    shuffled = [{name: one[name] for name in draw(st.permutations(list(one)))} for one in records]
    if shuffled and draw(st.booleans()):
        record = draw(st.sampled_from(shuffled))
        name = draw(st.sampled_from(list(record)))
        values = {"segmentation": odd | odd_masks, "bbox": odd | odd_boxes}.get(name, odd)
        if draw(st.integers(0, 4)):
            record[name] = draw(values)
        else:
            del record[name]
    return shuffled


@st.composite
def detections(draw: st.DrawFn) -> list[dict[str, Any]]:
    fields: dict[str, Any] = {
        "bbox": st.tuples(numbers, numbers, sides, sides).map(list),
        "segmentation": masks(),
        "keypoints": st.lists(numbers, min_size=6, max_size=6),
        "id": st.integers() | st.text(max_size=3),
        "note": st.dictionaries(st.text(max_size=3), numbers, max_size=2),
    }
    have = draw(st.lists(st.sampled_from(list(fields)), unique=True))
    records = []
    for _ in range(draw(st.integers(0, 4))):
        record = {"category_id": draw(category_ids), "score": draw(numbers)}
        record["image_id"] = 7 if "segmentation" in have else draw(ids)
        records.append(record | {name: draw(fields[name]) for name in have})
    return spoiled(draw, records)


@st.composite
def annotations(draw: st.DrawFn) -> list[dict[str, Any]]:
    optional: dict[str, Any] = {
        "area": sides,
        "iscrowd": flags,
        "ignore": flags,
        "segmentation": masks(),
        "keypoints": st.lists(numbers, min_size=6, max_size=6),
        "num_keypoints": st.sampled_from([0, 2, 2.0, None]),
        "caption": st.text(max_size=3),
    }
    records = []
    for number in range(draw(st.integers(0, 4))):
        record = {
            "id": number,
            "category_id": draw(category_ids),
            "bbox": [draw(numbers), draw(numbers), draw(sides), draw(sides)],
        }
        record |= {name: draw(optional[name]) for name in optional if draw(st.booleans())}
        record["image_id"] = 7 if "segmentation" in record else draw(ids)
        records.append(record)
    return spoiled(draw, records)


def outcome(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except BenchsuiteError as error:
        return f"{type(error).__name__}: {error}"


def compared(modules: tuple[Any, str], read: Callable[[], Any]) -> None:
    """Reads through the scanner and then through json."""
    scanned = outcome(read)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*modules, lambda *_: None)
        assert scanned == outcome(read)


def rows(table: pa.Table) -> Any:
    """The rows, NaN equal to itself, and what is JSON in them as its content."""
    found = table.to_pylist()
    for row in found:
        if row.get("extra"):
            row["extra"] = json.loads(row["extra"])
    return repr(found)


@pytest.mark.skipif(native() is None, reason="the extension is not built")
@quick
@given(detections(), st.sampled_from(["bbox", "segm", "keypoints"]))
def test_results(records: list[dict[str, Any]], task: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "results.json")
        path.write_text(json.dumps(records))

        def read() -> Any:
            predictions = read_coco_results(path, IMAGES, CATEGORIES, task)
            return rows(predictions.instances), rows(predictions.images)

        compared((coco_results, "scan_results"), read)


@pytest.mark.skipif(native() is None, reason="the extension is not built")
@quick
@given(st.data(), st.sampled_from(["bbox", "segm", "keypoints", None]))
def test_annotations(data: st.DataObject, task: str | None) -> None:
    content = {
        "images": [{"id": 7, "width": 20, "height": 10}, {"id": 0, "width": 5, "height": 6}],
        "categories": [{"id": 3, "name": "cat"}, {"id": 2**40, "name": "dog"}],
        "annotations": data.draw(annotations()),
    }
    names = data.draw(st.permutations(list(content)))
    content = {name: content[name] for name in names[data.draw(st.integers(0, 20)) // 20 :]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "truth.json")
        path.write_text(json.dumps(content))

        def read() -> Any:
            file = AnnotationFile(path)
            columns = file.truth()
            truth = columns.truth(task)
            return (
                rows(truth.instances),
                rows(truth.images),
                truth.categories,
                columns.has_segmentations,
                columns.keypoint_count,
                file.sha256,
            )

        compared((annotation_file, "scan_annotations"), read)


def test_the_scanner_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain files do not go through json."""
    results, truth = tmp_path / "results.json", tmp_path / "truth.json"
    detection = {"image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], "score": 0.5, "note": "x"}
    results.write_text(json.dumps([detection]))
    annotation = {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], "iscrowd": 0}
    truth.write_text(
        json.dumps(
            {
                "images": [{"id": 7, "width": 20, "height": 10}],
                "categories": [{"id": 3, "name": "cat"}],
                "annotations": [annotation | {"segmentation": [[1, 1, 5, 1, 5, 5]]}],
            }
        )
    )

    def unexpected(*_: Any) -> None:
        raise AssertionError("read by json")

    monkeypatch.setattr(coco_results.JsonFile, "parsed", unexpected)
    assert read_coco_results(results, IMAGES, CATEGORIES, "bbox").instances.num_rows == 1
    assert AnnotationFile(truth).truth().truth("segm").instances.num_rows == 1
