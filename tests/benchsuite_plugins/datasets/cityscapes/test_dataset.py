"""Cityscapes in its usual layout: what is read of it, and what is said where a file is missing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from benchsuite.errors import DataMissingError, InputError
from benchsuite.inspection.verification import verify_argument
from benchsuite.predictions.label_maps import decode_semantic
from benchsuite.protocols import Dataset, DatasetRequest, PublishedDataset
from benchsuite.resolve import open_dataset
from benchsuite_kernels.columns import rle
from benchsuite_plugins.datasets.cityscapes.dataset import open_cityscapes

Writer = Callable[..., Path]

FRAME = "frankfurt_000000_000294"


def request(root: Path, split: str = "val", **fields: Any) -> DatasetRequest:
    return DatasetRequest(split=split, root=root, cache=root / "cache", **fields)


def scene() -> np.ndarray:
    """A road with two cars, a group of cars, a caravan and a thin pole of a person."""
    numbers = np.full((12, 20), 7)
    numbers[:3] = 23
    numbers[4:8, 2:6] = 26000
    numbers[5:9, 5:9] = 26001
    numbers[4:7, 12:16] = 26
    numbers[8:11, 12:16] = 29000
    numbers[4:10, 18] = 24000
    return numbers


def annotations(root: Path) -> Path:
    return root / "cityscapes" / "gtFine" / "val" / "frankfurt"


def test_objects_are_the_regions_of_the_instance_maps(write_cityscapes: Writer) -> None:
    numbers = scene()
    dataset = open_cityscapes(request(write_cityscapes({FRAME: numbers})))
    assert isinstance(dataset, Dataset) and isinstance(dataset, PublishedDataset)
    rows = dataset.truth("segm").instances.to_pylist()
    found = [(row["category_id"], row["iscrowd"]) for row in rows]
    assert found == [(26, True), (24, False), (26, False), (26, False)]
    for row, value in zip(rows, (26, 24000, 26000, 26001), strict=True):
        mask = rle.decode(row["segmentation"]["counts"], (12, 20))
        np.testing.assert_array_equal(mask, numbers == value)
        assert row["area"] == mask.sum()
        y, x = np.nonzero(mask)
        assert row["bbox"] == [x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1]
    boxes = dataset.truth("bbox").instances
    assert boxes["segmentation"].null_count == len(boxes) == 4
    assert boxes["bbox"].to_pylist() == [row["bbox"] for row in rows]


def test_frames_are_counted_by_city_then_name(write_cityscapes: Writer) -> None:
    empty = np.full((4, 6), 7)
    names = ["munster_000001_000019", "frankfurt_000001_000019", "frankfurt_000000_000294"]
    dataset = open_cityscapes(request(write_cityscapes(dict.fromkeys(names, empty))))
    found = [(record.id, record.file_name) for record in dataset.images()]
    assert found == [
        (1, "frankfurt/frankfurt_000000_000294_leftImg8bit.png"),
        (2, "frankfurt/frankfurt_000001_000019_leftImg8bit.png"),
        (3, "munster/munster_000001_000019_leftImg8bit.png"),
    ]
    assert dataset.truth("segm").instances.num_rows == 0
    assert dataset.load(dataset.images()[2]).pixels.shape == (4, 6, 3)


def test_semantic_truth_is_the_label_maps(write_cityscapes: Writer) -> None:
    root = write_cityscapes({FRAME: scene()})
    dataset = open_cityscapes(request(root, tasks=("semantic",)))
    row = dataset.truth("semantic").images.to_pylist()[0]
    assert Path(row["semantic_path"]) == annotations(root) / f"{FRAME}_gtFine_labelIds.png"
    assert Path(row["instance_path"]) == annotations(root) / f"{FRAME}_gtFine_instanceIds.png"


def test_maps_of_train_ids_serve_too(write_cityscapes: Writer) -> None:
    root = write_cityscapes({FRAME: scene()}, kinds=("instanceIds", "labelTrainIds"))
    dataset = open_cityscapes(request(root, tasks=("semantic",)))
    found = decode_semantic(dataset.truth("semantic").images["semantic_png"][0].as_py())
    labels = np.where(scene() < 1000, scene(), scene() // 1000)
    np.testing.assert_array_equal(found, np.where(labels == 29, 0, labels))
    path = annotations(root) / f"{FRAME}_gtFine_labelTrainIds.png"
    PIL.Image.fromarray(np.full((12, 20), 77, np.uint8)).save(path)
    with pytest.raises(InputError, match=r"labelTrainIds\.png: holds 77"):
        dataset.truth("semantic")


def test_panoptic_truth_is_what_cityscapesscripts_writes(
    write_cityscapes: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    from cityscapesscripts.preparation.createPanopticImgs import convert2panoptic

    root = write_cityscapes({FRAME: scene()})
    fine = root / "cityscapes" / "gtFine"
    convert2panoptic(str(fine), setNames=["val"])
    capsys.readouterr()
    dataset = open_cityscapes(request(root))
    assert dataset.tasks == ("bbox", "segm", "semantic", "panoptic")
    row = dataset.truth("panoptic").images.to_pylist()[0]
    assert Path(row["panoptic_path"]).is_file()
    segments = {segment["id"]: segment for segment in row["segments"]}
    assert set(segments) == {7, 23, 26, 26000, 26001, 24000}
    assert segments[26]["iscrowd"] and segments[26]["isthing"]
    assert not segments[7]["iscrowd"] and not segments[7]["isthing"]
    assert segments[26001]["category_id"] == 26 and segments[26001]["area"] == 16
    convert2panoptic(str(fine), setNames=["val"], useTrainId=True)
    capsys.readouterr()
    shutil.rmtree(fine / "cityscapes_panoptic_val")
    for ending in ("", ".json"):
        (fine / f"cityscapes_panoptic_val_trainId{ending}").rename(
            fine / f"cityscapes_panoptic_val{ending}"
        )
    with_train_ids = open_cityscapes(request(root)).truth("panoptic").images.to_pylist()[0]
    assert with_train_ids["segments"] == row["segments"]


def test_the_hash_is_of_what_is_served(write_cityscapes: Writer) -> None:
    root = write_cityscapes({FRAME: scene()})
    before = open_cityscapes(request(root)).annotation_sha256
    assert open_cityscapes(request(root)).annotation_sha256 == before
    write_cityscapes({FRAME: scene()[::-1]})
    assert open_cityscapes(request(root)).annotation_sha256 != before


def test_what_is_missing_is_named(write_cityscapes: Writer, tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match=r"gtFine/val is not there.*gtFine_trainvaltest"):
        open_cityscapes(request(tmp_path / "nowhere"))
    root = write_cityscapes({FRAME: scene()}, images=False)
    dataset = open_cityscapes(request(root))
    with pytest.raises(DataMissingError, match=r"leftImg8bit/val is not there.*https"):
        dataset.load(dataset.images()[0])
    with pytest.raises(DataMissingError, match="csCreatePanopticImgs"):
        open_cityscapes(request(root, tasks=("panoptic",)))
    with pytest.raises(DataMissingError, match="csCreatePanopticImgs"):
        dataset.truth("panoptic")
    labels = annotations(root) / f"{FRAME}_gtFine_labelIds.png"
    labels.unlink()
    assert open_cityscapes(request(root)).tasks == ("bbox", "segm")
    with pytest.raises(DataMissingError, match=r"labelIds\.png is not there.*TrainIdLabelImgs"):
        open_cityscapes(request(root, tasks=("semantic",)))
    (annotations(root) / f"{FRAME}_gtFine_instanceIds.png").rename(labels)
    with pytest.raises(DataMissingError, match=r"instanceIds\.png is not there.*gtFine_train"):
        open_cityscapes(request(root))
    labels.unlink()
    with pytest.raises(DataMissingError, match=r"hold no \*_gtFine_\*\.png"):
        open_cityscapes(request(root))


def test_broken_files_are_named(write_cityscapes: Writer) -> None:
    root = write_cityscapes({FRAME: scene()})
    path = annotations(root) / f"{FRAME}_gtFine_instanceIds.png"
    whole = path.read_bytes()
    path.write_bytes(b"GIF89a")
    with pytest.raises(InputError, match=r"instanceIds\.png: is no PNG"):
        open_cityscapes(request(root))
    path.write_bytes(whole[:-40])
    with pytest.raises(InputError, match=r"instanceIds\.png: is a PNG file that is cut"):
        open_cityscapes(request(root)).truth("segm")
    PIL.Image.fromarray(np.zeros((12, 20, 3), np.uint8)).save(path)
    with pytest.raises(InputError, match=r"instanceIds\.png: is a PNG in colour"):
        open_cityscapes(request(root)).truth("segm")


def test_a_panoptic_file_of_other_categories_is_refused(write_cityscapes: Writer) -> None:
    root = write_cityscapes({FRAME: scene()})
    fine = root / "cityscapes" / "gtFine"
    (fine / "cityscapes_panoptic_val").mkdir()
    content = {"categories": [{"id": 1, "name": "zebra"}], "annotations": []}
    (fine / "cityscapes_panoptic_val.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"categories\[0\].*'zebra' is no category of Cityscapes"):
        open_cityscapes(request(root))


def test_it_can_be_verified(
    write_cityscapes: Writer, monkeypatch: pytest.MonkeyPatch, shared_data: Path
) -> None:
    sample = shared_data / "cityscapes_sample" / "gtFine"
    numbers = np.array(PIL.Image.open(sample / f"{FRAME}_gtFine_instanceIds.png"))
    monkeypatch.setenv("BENCHSUITE_DATASETS", str(write_cityscapes({FRAME: numbers})))
    labels = np.array(PIL.Image.open(sample / f"{FRAME}_gtFine_labelIds.png"))
    dataset = open_dataset("cityscapes/val").dataset
    written = Path(dataset.truth("semantic").images["semantic_path"][0].as_py())
    np.testing.assert_array_equal(np.array(PIL.Image.open(written)), labels)
    found = verify_argument("cityscapes/val")
    assert (found.n_images, found.n_annotations, found.n_checked) == (1, 7, 1)
    problems = [finding.problem for finding in found.problems]
    assert problems == ["lists 1 images, published were 500"]


def test_panoptic_maps_are_verified(
    write_cityscapes: Writer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cityscapesscripts.preparation.createPanopticImgs import convert2panoptic

    root = write_cityscapes({FRAME: scene()})
    fine = root / "cityscapes" / "gtFine"
    convert2panoptic(str(fine), setNames=["val"])
    capsys.readouterr()
    monkeypatch.setenv("BENCHSUITE_DATASETS", str(root))
    count = "lists 1 images, published were 500"
    assert [finding.problem for finding in verify_argument("cityscapes").problems] == [count]
    (fine / "cityscapes_panoptic_val" / f"{FRAME}_gtFine_panoptic.png").unlink()
    problems = [finding.problem for finding in verify_argument("cityscapes").problems]
    assert problems == [count, "its panoptic map cannot be read: No such file or directory"]
