from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as pycocotools_mask

from benchsuite.columns.truth import TruthColumns, build_truth
from benchsuite.errors import InputError
from benchsuite.protocols import Truth
from benchsuite.records import ImageRecord
from benchsuite.schemas import TRUTH_IMAGES, TRUTH_INSTANCES
from benchsuite.specs import Category, KeypointLayout
from benchsuite_kernels.columns import rle

IMAGES = [
    {"id": 7, "file_name": "b.png", "width": 20, "height": 10},
    {"id": -3, "file_name": "a.png", "width": 30, "height": 40},
]
CATEGORIES = [{"id": 2, "name": "cat", "supercategory": "animal"}, {"id": 0, "name": "dog"}]


def annotation(**fields: Any) -> dict[str, Any]:
    record = {"id": 5, "image_id": 7, "category_id": 2, "bbox": [1, 2, 3.5, 4], "area": 9.5}
    record |= fields
    return {name: value for name, value in record.items() if value is not ...}


def truth_of(*annotations: dict[str, Any], **fields: Any) -> Truth:
    arguments: dict[str, Any] = {"images": IMAGES, "categories": CATEGORIES, **fields}
    return build_truth(arguments.pop("images"), annotations, **arguments)


def row(**fields: Any) -> dict[str, Any]:
    (found,) = truth_of(annotation(**fields)).instances.to_pylist()
    return dict(found)


def test_tables() -> None:
    truth = truth_of(annotation(id=9), annotation(id=0, iscrowd=1), source="truth.json")
    assert truth.images.schema == TRUTH_IMAGES
    assert truth.instances.schema == TRUTH_INSTANCES
    assert truth.images["image_id"].to_pylist() == [-3, 7]
    assert truth.images["file_name"].to_pylist() == ["a.png", "b.png"]
    assert truth.instances["annotation_id"].to_pylist() == [9, 0]
    assert truth.instances["iscrowd"].to_pylist() == [False, True]
    assert truth.categories == (Category(2, "cat", True, "animal"), Category(0, "dog"))
    assert truth.source == "truth.json"
    assert row() == {
        "annotation_id": 5,
        "image_id": 7,
        "category_id": 2,
        "bbox": [1.0, 2.0, 3.5, 4.0],
        "area": 9.5,
        "iscrowd": False,
        "segmentation": None,
        "keypoints": None,
        "num_keypoints": None,
        "rotated_box": None,
        "difficult": None,
    }


def test_records_and_arrays_in_place_of_plain_values() -> None:
    truth = build_truth(
        [ImageRecord(1, "x", 8, 8)],
        [
            {
                "image_id": np.int64(1),
                "category_id": np.int32(3),
                "bbox": np.array([0, 1, 2, 3], np.float32),
                "area": np.float32(0.5),
                "iscrowd": np.True_,
                "segmentation": [np.array([0, 0, 4, 0, 4, 4])],
                "keypoints": np.array([1, 2, 2]),
            }
        ],
        [Category(3, "thing"), Category(4, "stuff", isthing=False)],
        keypoints=KeypointLayout(("point",), (0.1,)),
    )
    (found,) = truth.instances.to_pylist()
    assert found["annotation_id"] == 1
    assert found["bbox"] == [0, 1, 2, 3]
    assert found["area"] == 0.5
    assert found["iscrowd"]
    assert found["keypoints"] == [1, 2, 2]
    assert found["num_keypoints"] == 1
    assert not truth.categories[1].isthing


def test_nothing_at_all() -> None:
    truth = build_truth([], [], [])
    assert truth.images.num_rows == truth.instances.num_rows == 0


def test_huge_ids_and_whole_floats() -> None:
    huge = 2**62 + 1
    truth = build_truth(
        [{"id": huge, "width": 1, "height": 1}],
        [annotation(image_id=huge, category_id=2.0, id=-huge)],
        CATEGORIES,
    )
    assert truth.instances["image_id"].to_pylist() == [huge]
    assert truth.instances["annotation_id"].to_pylist() == [-huge]
    assert truth.instances["category_id"].to_pylist() == [2]


# --- masks ----------------------------------------------------------------------------------------

POLYGONS = [[1, 1, 9.5, 1, 9.5, 8, 1, 8], [12, 2, 18, 2, 15, 9.25]]


def test_polygons_become_the_rle_of_pycocotools() -> None:
    parts = pycocotools_mask.frPyObjects([list(map(float, p)) for p in POLYGONS], 10, 20)
    expected = pycocotools_mask.merge(parts)
    assert row(segmentation=POLYGONS)["segmentation"] == expected


def test_rle_in_both_forms() -> None:
    mask = np.zeros((10, 20), np.uint8)
    mask[2:5, 3:9] = 1
    counts = rle.encode(mask)
    runs = np.diff(np.flatnonzero(np.diff(np.r_[2, mask.ravel(order="F"), 2]))).tolist()
    expected = {"size": [10, 20], "counts": counts}
    for given in (counts, counts.decode(), runs):
        found = row(segmentation={"size": [10, 20], "counts": given})
        assert found["segmentation"] == expected


def test_masks_are_made_only_when_asked_for() -> None:
    broken = annotation(segmentation={"size": [10, 20], "counts": "~"})
    columns = TruthColumns(IMAGES, [broken], CATEGORIES)
    assert columns.has_segmentations
    assert columns.truth("bbox").instances["segmentation"].null_count == 1
    with pytest.raises(InputError, match="'segmentation'"):
        columns.truth("segm")


@pytest.mark.parametrize(
    ("segmentation", "problem"),
    [
        ({"size": [20, 10], "counts": "0"}, r"size \[20, 10\] \(height, width\)"),
        ({"size": [10], "counts": "0"}, "size that is an array"),
        ({"size": ["10", 20], "counts": "0"}, "size that is a string"),
        ({"size": [10, 20]}, "counts are null"),
        ({"size": [10, 20], "counts": "0é"}, "malformed"),
        ({"size": [10, 20], "counts": "P4"}, "malformed"),
        ({"size": [10, 20], "counts": "oooooo"}, "malformed"),
        ({"size": [10, 20], "counts": [100, 101]}, "malformed.* 201 pixels"),
        ({"size": [10, 20], "counts": [100, -1, 101]}, "malformed.*negative"),
        ({"size": [10, 20], "counts": [100, "100"]}, "malformed.*string"),
        ({}, "size that is null"),
        ("polygon", "neither polygons nor RLE"),
        ([[1, 1, 2, 2]], "4 numbers"),
        ([[1, 1, 2, 2, 3, 3, 4]], "7 numbers"),
        ([[]], "0 numbers"),
        ([1, 1, 2, 2, 3, 3], "polygon that is a number"),
        ([["a", 1, 2, 2, 3, 3]], "polygon that holds a value that is a string"),
        ([[1, 1, 2, 2, 3, float("nan")]], "not finite"),
        ([[1, 1, 2, 2, 3, 1e9]], "beyond 100000 pixels"),
    ],
)
def test_malformed_masks(segmentation: Any, problem: str) -> None:
    with pytest.raises(InputError, match=rf"annotations\[0\] \(id 5\): .*{problem}"):
        row(segmentation=segmentation)


# --- missing fields -------------------------------------------------------------------------------


def test_area_of_the_mask_or_of_the_box() -> None:
    assert row(area=...)["area"] == 14
    found = row(area=..., segmentation=POLYGONS)
    assert found["area"] == rle.area(found["segmentation"]["counts"])


def test_keypoints_need_an_area() -> None:
    with pytest.raises(InputError, match="'area' is missing"):
        row(area=..., keypoints=[1, 2, 2])
    points = annotation(area=..., keypoints=[1, 2, 2])
    assert TruthColumns(IMAGES, [points], CATEGORIES).truth("bbox").instances.num_rows == 1


def test_visible_keypoints_are_counted() -> None:
    points = [1, 2, 2, 3, 4, 1, 0, 0, 0]
    assert row(keypoints=points)["num_keypoints"] == 2
    assert row(keypoints=points, num_keypoints=0)["num_keypoints"] == 0


@pytest.mark.parametrize("field", ["image_id", "category_id", "bbox"])
def test_field_is_missing(field: str) -> None:
    lacking = annotation(**{field: ...})
    with pytest.raises(InputError, match=rf"annotations\[1\] \(id 5\): the field '{field}'"):
        TruthColumns(IMAGES, [annotation(id=4), lacking], CATEGORIES).truth("bbox")


def test_id_is_missing_from_some() -> None:
    with pytest.raises(InputError, match=r"annotations\[1\]: the field 'id' is missing"):
        truth_of(annotation(), annotation(id=...))


def test_mask_is_missing() -> None:
    columns = TruthColumns(
        IMAGES, [annotation(segmentation=POLYGONS), annotation(id=6, segmentation=[])], CATEGORIES
    )
    with pytest.raises(InputError, match=r"annotations\[1\] \(id 6\): .*'segmentation'"):
        columns.truth("segm")


# --- what cannot be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"id": "5"}, r"\(id '5'\): the field 'id' is a string"),
        ({"id": True}, "the field 'id' is a boolean"),
        ({"id": 2**63}, "does not fit 64 bits"),
        ({"image_id": "7"}, "'image_id' is a string"),
        ({"image_id": 7.5}, "'image_id' is a number"),
        ({"image_id": 8}, "image_id 8 is not among the images"),
        ({"category_id": 1}, "category_id 1 is not among the categories"),
        ({"bbox": [1, 2, 3]}, "'bbox' has 3 numbers"),
        ({"bbox": [1, 2, -3, 4]}, "negative"),
        ({"bbox": [1, 2, 3, float("nan")]}, "finite"),
        ({"bbox": [1, 2, 3, "4"]}, "a value that is a string"),
        ({"bbox": "1 2 3 4"}, "'bbox' is a string"),
        ({"bbox": [1, 2, 3, 10**400]}, "too large"),
        ({"area": "9"}, "'area' is a string"),
        ({"area": float("inf")}, "'area' is inf"),
        ({"iscrowd": "no"}, "'iscrowd' is a string"),
        ({"keypoints": [1, 2]}, "'keypoints' has 2 numbers"),
        ({"keypoints": [1, 2, "v"]}, "'keypoints' holds a value that is a string"),
        ({"keypoints": [1, float("nan"), 2]}, "holds nan"),
        ({"num_keypoints": "1"}, "'num_keypoints' is a string"),
    ],
)
def test_wrong_values(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=rf"truth.json, annotations\[1\].*{problem}"):
        truth_of(annotation(id=4), annotation(**fields), source="truth.json")


def test_differing_numbers_of_keypoints() -> None:
    points = annotation(keypoints=[1, 2, 2])
    with pytest.raises(InputError, match=r"annotations\[1\] \(id 6\): .* 6 numbers, not 3"):
        truth_of(points, annotation(id=6, keypoints=[1, 2, 2] * 2))


def test_ids_that_are_taken() -> None:
    with pytest.raises(InputError, match=r"annotations\[2\] \(id 5\): .* as annotations\[0\]"):
        truth_of(annotation(), annotation(id=6), annotation())
    with pytest.raises(InputError, match=r"images\[1\] \(id 7\): has the same id as images\[0\]"):
        truth_of(images=[IMAGES[0], IMAGES[0]])
    with pytest.raises(InputError, match=r"categories\[1\] \(id 2\): has the same id"):
        truth_of(categories=[CATEGORIES[0], CATEGORIES[0]])


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"width": 0}, "'width' is 0"),
        ({"height": 2.5}, "'height' is a number"),
        ({"width": None}, "'width' is missing"),
        ({"file_name": 3}, "'file_name' is a number"),
    ],
)
def test_wrong_images(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=rf"images\[0\] \(id 7\): the field {problem}"):
        truth_of(images=[{**IMAGES[0], **fields}])


def test_wrong_categories() -> None:
    with pytest.raises(InputError, match=r"categories\[0\] \(id 2\): the field 'name' is missing"):
        truth_of(categories=[{"id": 2}])


def test_a_record_that_is_no_object() -> None:
    with pytest.raises(InputError, match=r"annotations\[1\]: is a number \(3\), not an object"):
        truth_of(annotation(), 3)  # type: ignore[arg-type]
