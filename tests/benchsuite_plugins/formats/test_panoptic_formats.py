"""Panoptic and semantic maps as formats: COCO's, two channels, masks, label maps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchsuite.conversion import ConvertRequest, convert
from benchsuite.errors import DataMissingError, InputError
from benchsuite.formats import read_predictions, read_truth, recognise
from benchsuite.predictions.label_maps import encode_panoptic
from benchsuite.protocols import PredictionsRequest, Truth, TruthRequest
from benchsuite.records import ImageRecord
from benchsuite_kernels.columns import rle
from benchsuite_kernels.columns.label_maps import decode

CATEGORIES = [
    {"id": 1, "name": "person", "isthing": 1, "supercategory": "person"},
    {"id": 44, "name": "bottle", "isthing": 1},
    {"id": 200, "name": "rug-merged", "isthing": 0, "supercategory": "textile"},
]


def write(folder: Path, **changes: Any) -> Path:
    """A panoptic file of two images, one of them empty."""
    file = folder / "truth.json"
    maps = folder / "truth"
    maps.mkdir(parents=True)
    numbers = np.array([[5, 5, 70000, 0], [9, 9, 70000, 0], [7, 0, 70000, 0]], np.int32)
    (maps / "a.png").write_bytes(encode_panoptic(numbers))
    (maps / "b.png").write_bytes(encode_panoptic(numbers * 0))
    segments = [
        {"id": 5, "category_id": 1, "area": 2, "iscrowd": 0, "bbox": [0, 0, 2, 1]},
        {"id": 70000, "category_id": 200, "area": 3, "iscrowd": 0, "bbox": [2, 0, 1, 3]},
        {"id": 9, "category_id": 1, "area": 2, "iscrowd": 1, "bbox": [0, 1, 2, 1]},
        {"id": 7, "category_id": 44, "area": 1, "iscrowd": 0, "bbox": [0, 2, 1, 1]},
    ]
    names = {"a.png": segments, "b.png": []}
    content = {
        "images": [
            {"id": i, "file_name": f"{n[0]}.jpg", "width": 4, "height": 3}
            for i, n in enumerate(names, start=3)
        ],
        "annotations": [
            {"image_id": i, "file_name": n, "segments_info": s}
            for i, (n, s) in enumerate(names.items(), start=3)
        ],
        "categories": CATEGORIES,
        **changes,
    }
    file.write_text(json.dumps(content))
    return file


def converted(source: Path, target: Path, to: str) -> Path:
    """What to read of what was converted."""
    convert(ConvertRequest(source=source, target=target, to=to))
    names = {"coco_panoptic": "panoptic_val.json", "panoptic_two_channel": "panoptic_val"}
    return target / names.get(to, "")


def partition(truth: Truth) -> list[dict[tuple[int, bool], list[list[int]]]]:
    """Each image's segments by category and crowd, as their pixels: numbers do not matter."""
    images = []
    for row in truth.images.select(["panoptic_png", "panoptic_path", "segments"]).to_pylist():
        numbers = decode(row["panoptic_png"] or row["panoptic_path"], "colour")
        found: dict[tuple[int, bool], list[list[int]]] = {}
        for segment in row["segments"]:
            pixels = np.flatnonzero(numbers == segment["id"]).tolist()
            found.setdefault((segment["category_id"], segment["iscrowd"]), []).append(pixels)
        images.append({key: sorted(each) for key, each in found.items()})
    return images


def masks(truth: Truth) -> list[tuple[Any, ...]]:
    names = ["image_id", "category_id", "bbox", "area", "iscrowd", "segmentation"]
    rows = truth.instances.select(names).to_pylist()
    return sorted(tuple(map(str, row.values())) for row in rows)


def read(path: Path, task: str = "") -> Truth:
    return read_truth(TruthRequest(path, task=task))


# --- truth ----------------------------------------------------------------------------------------


def test_coco_panoptic_truth_has_maps_and_masks(tmp_path: Path) -> None:
    truth = read(write(tmp_path))
    assert [(c.id, c.isthing) for c in truth.categories] == [(1, True), (44, True), (200, False)]
    assert truth.images["image_id"].to_pylist() == [3, 4]
    first = truth.instances.to_pylist()[0]
    assert first["annotation_id"] == 1 and first["bbox"] == [0, 0, 2, 1] and first["area"] == 2
    mask = rle.decode(first["segmentation"]["counts"], (3, 4))
    assert mask.tolist() == [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert truth.instances["iscrowd"].to_pylist() == [False, False, True, False]
    assert read(write(tmp_path / "again"), "panoptic").instances.num_rows == 0


@pytest.mark.parametrize("by_way_of", ["coco", "panoptic_two_channel", "coco_panoptic"])
def test_there_and_back(tmp_path: Path, by_way_of: str) -> None:
    file = write(tmp_path)
    target = tmp_path / ("masks.json" if by_way_of == "coco" else "between")
    between = converted(file, target, by_way_of)
    assert recognise(between, "read_truth").name == by_way_of
    back = converted(between, tmp_path / "back", "coco_panoptic")
    before, after = read(file), read(back)
    assert partition(after) == partition(before) != []
    assert masks(after) == masks(before)
    assert after.categories == before.categories


def test_the_published_twins(shared_data: Path, tmp_path: Path) -> None:
    sample = shared_data / "panoptic_sample"
    panoptic = read(sample / "panoptic_examples.json")
    assert [len(image) for image in map(dict, partition(panoptic))] == [6, 9]
    detection = read(sample / "panoptic_coco_detection_format.json")
    assert masks(panoptic) == masks(detection)
    of_masks = converted(
        sample / "panoptic_coco_detection_format.json", tmp_path / "of_masks", "coco_panoptic"
    )
    assert partition(read(of_masks)) == partition(panoptic)
    info = json.loads((sample / "images_info_examples.json").read_text())
    categories = json.loads((sample / "panoptic_coco_categories.json").read_text())
    folder = tmp_path / "two_channels"
    folder.symlink_to(sample / "panoptic_examples_2ch_format")
    (tmp_path / "two_channels.json").write_text(json.dumps({**info, "categories": categories}))
    assert recognise(folder, "read_truth").name == "panoptic_two_channel"
    assert partition(read(folder)) == partition(panoptic)
    again = converted(sample / "panoptic_examples.json", tmp_path / "again", "panoptic_two_channel")
    assert partition(read(again)) == partition(panoptic)


def test_what_two_channels_cannot_hold(tmp_path: Path) -> None:
    large = [{**CATEGORIES[0], "id": 256}]
    numbers = np.array([[5, 5]], np.int32)
    file = write(tmp_path, categories=[*CATEGORIES, *large])
    content = json.loads(file.read_text())
    content["annotations"][0]["segments_info"] = [
        {"id": 5, "category_id": 256, "area": 2, "iscrowd": 0}
    ]
    file.write_text(json.dumps(content))
    (tmp_path / "truth" / "a.png").write_bytes(encode_panoptic(numbers))
    with pytest.raises(InputError, match="image id 3: category id 256, number 0, does not fit"):
        converted(file, tmp_path / "out", "panoptic_two_channel")
    content["annotations"][0]["segments_info"][0] |= {"category_id": 1, "iscrowd": 1}
    content["annotations"][0]["segments_info"].append(
        {"id": 6, "category_id": 1, "area": 2, "iscrowd": 1}
    )
    file.write_text(json.dumps(content))
    done = convert(ConvertRequest(file, tmp_path / "out", to="panoptic_two_channel"))
    assert done.lost["crowds of an image and category made one"] == 1


def test_masks_that_overlap_are_no_panoptic_map(tmp_path: Path) -> None:
    mask = {"size": [2, 2], "counts": rle.encode(np.ones((2, 2), np.uint8)).decode()}
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 2, "height": 2}],
        "annotations": [
            {"id": i, "image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2], "segmentation": mask}
            for i in (7, 8)
        ],
        "categories": CATEGORIES,
    }
    file = tmp_path / "instances.json"
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match="annotation id 8: its mask and that of annotation id 7"):
        converted(file, tmp_path / "out", "coco_panoptic")


def test_semantic_maps_of_panoptic_ones(tmp_path: Path) -> None:
    folder = converted(write(tmp_path), tmp_path / "maps", "label_maps")
    assert decode(folder / "a.png", "grey").tolist() == [
        [1, 1, 200, 0],
        [1, 1, 200, 0],
        [44, 0, 200, 0],
    ]
    assert recognise(folder, "read_predictions").name == "label_maps"


# --- predictions ----------------------------------------------------------------------------------

RECORDS = (ImageRecord(3, "a.jpg", 4, 3), ImageRecord(4, "b.jpg", 4, 3))


def predicted(path: Path, truth: Truth) -> Any:
    return read_predictions(PredictionsRequest(path, RECORDS, truth.categories, "panoptic"))


@pytest.mark.parametrize("to", ["coco_panoptic", "panoptic_two_channel"])
def test_predictions_there_and_back(tmp_path: Path, to: str) -> None:
    file = write(tmp_path / "source")
    assert recognise(file, "read_predictions").name == "coco_panoptic"
    before = predicted(file, read(file))
    target = tmp_path / "out"
    convert(ConvertRequest(file, target, to=to, dataset=str(file)))
    name = {"coco_panoptic": "panoptic_all.json", "panoptic_two_channel": "panoptic_all"}[to]
    if not (target / name).exists():
        name = name.replace("_all", "_val")
    after = predicted(target / name, read(file))

    def pixels(predictions: Any) -> Any:
        for row in predictions.images.to_pylist():
            numbers = decode(row["panoptic_png"] or row["panoptic_path"], "colour")
            yield sorted(
                (each["category_id"], np.flatnonzero(numbers == each["id"]).tolist())
                for each in row["segments"]
            )

    assert list(pixels(after)) == list(pixels(before))


def test_two_channels_that_are_wrong(tmp_path: Path, make_images: Callable[..., Path]) -> None:
    truth = read(write(tmp_path / "source"))
    folder = tmp_path / "maps"
    folder.mkdir()
    numbers = np.array([[1, 1 + 256, 99, 0]] * 3, np.int32)
    (folder / "a.png").write_bytes(encode_panoptic(numbers))
    with pytest.raises(InputError, match="the map holds category id 99, which is not known"):
        predicted(folder, truth)
    (folder / "a.png").write_bytes(encode_panoptic(numbers * 0))
    with pytest.raises(DataMissingError, match=r"b\.png of image id 4 is not there"):
        predicted(folder, truth)
    (folder / "b.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"b\.png, image id 4: the map is no PNG file"):
        predicted(folder, truth)


def test_label_maps_are_told_from_other_folders(tmp_path: Path) -> None:
    folder = tmp_path / "maps" / "inner"
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(folder / "a.png")
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(folder / "b.png")
    assert recognise(tmp_path / "maps", "read_predictions").name == "label_maps"
    request = PredictionsRequest(tmp_path / "maps", RECORDS, (), "semantic")
    paths = read_predictions(request).images["semantic_path"].to_pylist()
    assert paths == [str(folder / "a.png"), str(folder / "b.png")]
    (folder / "a.png").rename(folder / "frankfurt_000000_000294_x.png")
    assert recognise(tmp_path / "maps", "read_predictions").name == "cityscapes"
