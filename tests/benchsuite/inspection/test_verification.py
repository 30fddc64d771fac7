"""Every kind of thing that can be wrong with a dataset is found, and named by its id."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pytest

from benchsuite.errors import DataMissingError
from benchsuite.inspection.annotation_checks import (
    boxes,
    keypoints,
    masks,
    panoptic,
    semantic,
)
from benchsuite.inspection.verification import CHANGED, PUBLISHED, verify_argument, verify_dataset
from benchsuite.protocols import Truth
from benchsuite.resolve import open_dataset
from benchsuite.schemas import TRUTH_IMAGES, TRUTH_INSTANCES


def truth(instances: list[dict[str, Any]], **image: Any) -> Truth:
    """Truth on one image of 20 x 10 pixels, whose id is 7."""
    row = {"image_id": 7, "file_name": "7.jpg", "width": 20, "height": 10, **image}
    full = [
        {"annotation_id": 1, "image_id": 7, "category_id": 1, "area": 1.0, "iscrowd": False, **each}
        for each in instances
    ]
    return Truth(
        images=pa.Table.from_pylist([row], TRUTH_IMAGES),
        instances=pa.Table.from_pylist(full, TRUTH_INSTANCES),
        categories=(),
    )


def said(findings: Any) -> list[tuple[str, str]]:
    return [(each.record, each.problem) for each in findings]


@pytest.mark.parametrize(
    ("box", "problem"),
    [
        ([0, 0, 20, 10], None),
        ([-1, -1, 22, 12], None),
        ([3, 3, 0, 5], "its box has no area: [3.0, 3.0, 0.0, 5.0]"),
        ([3, 3, 5, -1], "its box has no area: [3.0, 3.0, 5.0, -1.0]"),
        ([15, 3, 6.5, 5], "its box reaches outside of the image: [15.0, 3.0, 6.5, 5.0]"),
        ([3, -1.5, 5, 5], "its box reaches outside of the image: [3.0, -1.5, 5.0, 5.0]"),
        ([float("nan"), 3, 5, 5], "its box is no box of numbers: [nan, 3.0, 5.0, 5.0]"),
    ],
)
def test_boxes(box: list[float], problem: str | None) -> None:
    expected = [] if problem is None else [("annotation id 31", problem)]
    assert said(boxes(truth([{"annotation_id": 31, "bbox": box}]))) == expected


def test_masks() -> None:
    from pycocotools import mask

    drawn = np.zeros((10, 20), np.uint8, order="F")
    empty = mask.encode(drawn)
    drawn[2:5, 3:9] = 1
    good, wrong = mask.encode(drawn), mask.encode(np.asfortranarray(drawn.T))
    found = masks(
        truth(
            [
                {"annotation_id": number, "segmentation": each}
                for number, each in enumerate([good, empty, wrong, None])
            ]
        )
    )
    assert said(found) == [
        ("annotation id 1", "its mask covers no pixel of the image"),
        ("annotation id 2", "its mask is of size [20, 10], its image of [10, 20]"),
    ]


def test_keypoints() -> None:
    good = {"keypoints": [1, 1, 2, 0, 0, 0], "num_keypoints": 1}
    outside = {"keypoints": [25, 1, 1, -9, -9, 0], "num_keypoints": 1}
    miscounted = {"keypoints": [1, 1, 2, 2, 2, 1], "num_keypoints": 1}
    rows = [{"annotation_id": n, **each} for n, each in enumerate([good, outside, miscounted])]
    assert said(keypoints(truth(rows))) == [
        ("annotation id 1", "its keypoint 0 lies outside of the image"),
        ("annotation id 2", "says 1 keypoints are labelled, 2 are"),
    ]


def panoptic_png(values: list[int], size: tuple[int, int] = (10, 20)) -> bytes:
    pixels = np.zeros((*size, 3), np.uint8)
    for column, value in enumerate(values):
        pixels[:, column] = [value & 255, value >> 8 & 255, value >> 16]
    encoded = io.BytesIO()
    PIL.Image.fromarray(pixels).save(encoded, "PNG")
    return encoded.getvalue()


def test_panoptic_maps() -> None:
    def segments(*ids: int) -> list[dict[str, Any]]:
        return [{"id": each, "category_id": 1, "isthing": True} for each in ids]

    large = 70_000
    good = truth([], panoptic_png=panoptic_png([5, large]), segments=segments(5, large))
    assert said(panoptic(good)) == []
    assert said(panoptic(truth([]))) == [("image id 7", "has no panoptic map")]
    odd = truth([], panoptic_png=panoptic_png([5], (4, 4)), segments=segments(6))
    assert said(panoptic(odd)) == [
        ("image id 7", "its panoptic map is of size [4, 4]"),
        ("image id 7", "its panoptic map shows no pixel of segments [6]"),
        ("image id 7", "its panoptic map shows segments not listed: [5]"),
    ]


def test_maps_in_files(tmp_path: Path) -> None:
    file = tmp_path / "map.png"
    segments = [{"id": 5, "category_id": 1, "isthing": True}]
    in_file = truth([], panoptic_path=str(file), semantic_path=str(file), segments=segments)
    cannot = "cannot be read: No such file or directory"
    assert said(panoptic(in_file)) == [("image id 7", f"its panoptic map {cannot}")]
    assert said(semantic(in_file)) == [("image id 7", f"its semantic map {cannot}")]
    file.write_bytes(panoptic_png([5]))
    assert said(panoptic(in_file)) == []
    assert "in colour" in said(semantic(in_file))[0][1]
    PIL.Image.fromarray(np.zeros((10, 20), np.uint8)).save(file)
    assert said(semantic(in_file)) == []
    PIL.Image.fromarray(np.zeros((9, 20), np.uint8)).save(file)
    assert said(semantic(in_file)) == [("image id 7", "its semantic map is of size [9, 20]")]
    assert said(semantic(truth([]))) == [("image id 7", "has no semantic map")]
    in_place = truth([], panoptic_path=str(file), segments=segments)
    assert said(semantic(in_place)) == said(panoptic(in_place)) != []


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """An annotation file of three images, in whose folder all is well."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in (1, 2, 3):
        PIL.Image.new("RGB", (20, 10)).save(folder / f"{number}.png")
    images = [{"id": n, "file_name": f"{n}.png", "width": 20, "height": 10} for n in (1, 2, 3)]
    annotation = {"id": 31, "image_id": 2, "category_id": 1, "bbox": [1, 1, 5, 5], "area": 25}
    content = {
        "images": images,
        "annotations": [{**annotation, "iscrowd": 0}],
        "categories": [{"id": 1, "name": "thing"}],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    return tmp_path / "annotations.json"


def change(file: Path, change_it: Any) -> None:
    content = json.loads(file.read_text())
    change_it(content)
    file.write_text(json.dumps(content))


def test_a_dataset_that_is_fine(dataset: Path) -> None:
    found = verify_argument(str(dataset), images=dataset.parent / "images")
    assert found.ok
    assert (found.n_images, found.n_annotations, found.n_checked) == (3, 1, 3)
    assert found.source == str(dataset)
    without = verify_argument(str(dataset))
    assert without.ok and not without.images_were_checked


def test_images_that_are_missing_broken_or_of_another_size(dataset: Path) -> None:
    folder = dataset.parent / "images"
    (folder / "1.png").unlink()
    (folder / "2.png").write_bytes(b"no picture")
    PIL.Image.new("RGB", (10, 20)).save(folder / "3.png")
    PIL.Image.new("RGB", (20, 10)).save(folder / "4.png")
    fourth = {"id": 4, "file_name": "4.png", "width": 20, "height": 10}
    change(dataset, lambda content: content["images"].append(fourth))
    found = verify_argument(str(dataset), images=folder)
    assert not found.ok
    assert [each.record for each in found.problems] == [
        "image id 1 (1.png)",
        "image id 2 (2.png)",
        "image id 3 (3.png)",
    ]
    assert "10 x 20" in found.problems[2].problem
    assert found.n_checked == 1


def test_a_file_name_that_is_used_twice(dataset: Path) -> None:
    change(dataset, lambda content: content["images"][2].update(file_name="1.png"))
    found = verify_argument(str(dataset))
    assert said(found.problems) == [("file name '1.png'", "is that of several images")]


def test_categories_of_one_name(dataset: Path) -> None:
    again = {"id": 7, "name": "thing"}
    change(dataset, lambda content: content["categories"].append(again))
    found = verify_argument(str(dataset))
    assert said(found.problems) == [("category ids 1, 7", "are all called 'thing'")]


def test_a_dataset_without_annotations(dataset: Path) -> None:
    change(dataset, lambda content: content["annotations"].clear())
    found = verify_argument(str(dataset))
    problem = "there are none: nothing to learn and nothing to find"
    assert said(found.problems) == [("annotations", problem)]


def test_a_file_that_cannot_be_opened_is_a_finding(dataset: Path) -> None:
    change(dataset, lambda content: content["annotations"].append(content["annotations"][0]))
    found = verify_argument(str(dataset))
    assert not found.ok
    assert "31" in str(found.problems[0])


def test_a_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError):
        verify_argument(str(tmp_path / "gone.json"))


class Published:
    """A dataset whose publisher's numbers are known."""

    def __init__(self, dataset: Any, sha256: str | None, count: int | None) -> None:
        self._dataset = dataset
        self.published_annotation_sha256, self.published_image_count = sha256, count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)


def test_what_the_publisher_says(dataset: Path) -> None:
    change(dataset, lambda content: content["annotations"][0].update(bbox=[1, 1, 0, 5]))
    opened = open_dataset(str(dataset))
    sha256 = opened.dataset.annotation_sha256

    def verified(sha256: str | None, count: int | None) -> Any:
        object.__setattr__(opened, "dataset", Published(inner, sha256, count))
        return verify_dataset(opened, images=False)

    inner = opened.dataset
    published = verified(sha256, 3)
    assert published.annotations == PUBLISHED
    assert published.ok and len(published.notes) == 1, "what was published stays as it is"
    changed = verified("0" * 64, 5)
    assert changed.annotations == CHANGED
    assert [each.record for each in changed.problems] == ["annotation file"] * 2 + [
        "annotation id 31"
    ]
    assert verified(None, None).notes == []
