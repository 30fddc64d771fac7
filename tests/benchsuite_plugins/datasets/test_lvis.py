"""LVIS's layout: which file is which version and split, and where COCO's images are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from benchsuite.errors import DataMissingError
from benchsuite.plugins import registry
from benchsuite.protocols import Dataset, DatasetRequest, PublishedDataset
from benchsuite.resolve import default_recipe, open_dataset
from benchsuite_plugins.datasets.lvis import open_v05, open_v1

URL = "http://images.cocodataset.org"


def request(root: Path, split: str = "val", **fields: Any) -> DatasetRequest:
    return DatasetRequest(split=split, root=root, cache=root / "cache", **fields)


def content(**image: Any) -> dict[str, Any]:
    square = [[2, 2, 12, 2, 12, 12, 2, 12]]
    annotation = {"id": 1, "image_id": 7, "category_id": 2, "bbox": [2, 2, 10, 10], "area": 100}
    return {
        "images": [
            {"id": 7, "height": 16, "width": 20, "coco_url": f"{URL}/val2017/000000000007.jpg"}
            | {"neg_category_ids": [5], "not_exhaustive_category_ids": [2]}
            | image
        ],
        "annotations": [{**annotation, "segmentation": square}],
        "categories": [
            {"id": 2, "name": "acorn", "frequency": "r"},
            {"id": 5, "name": "banana", "frequency": "f"},
        ],
    }


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "datasets"
    (root / "lvis").mkdir(parents=True)
    (root / "coco" / "val2017").mkdir(parents=True)
    pixels = np.zeros((16, 20, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(root / "coco" / "val2017" / "000000000007.jpg")
    write(root, "lvis_v1_val", content())
    # In v0.5 file_name is COCO 2014's.
    write(root, "lvis_v0.5_val", content(file_name="COCO_val2014_000000000007.jpg"))
    monkeypatch.setenv("BENCHSUITE_DATASETS", str(root))
    return root


def write(root: Path, name: str, data: dict[str, Any]) -> Path:
    file = root / "lvis" / f"{name}.json"
    file.write_text(json.dumps(data))
    return file


@pytest.mark.parametrize("opens", [open_v1, open_v05])
def test_images_are_coco_s(root: Path, opens: Any) -> None:
    dataset = opens(request(root))
    assert isinstance(dataset, Dataset)
    assert dataset.tasks == ("bbox", "segm")
    (record,) = dataset.images()
    assert record.file_name == "val2017/000000000007.jpg"
    assert dataset.load(record).pixels.shape == (16, 20, 3)


def test_truth_says_what_was_looked_for(root: Path) -> None:
    truth = open_v1(request(root)).truth("segm")
    assert truth.images["negative_category_ids"].to_pylist() == [[5]]
    assert truth.images["not_exhaustive_category_ids"].to_pylist() == [[2]]
    assert [category.frequency for category in truth.categories] == ["r", "f"]


def test_truth_needs_no_images(root: Path) -> None:
    write(root, "lvis_v1_train", content(coco_url=f"{URL}/train2017/000000000007.jpg"))
    dataset = open_v1(request(root, "train"))
    assert dataset.truth("bbox").instances.num_rows == 1
    with pytest.raises(DataMissingError, match=r"data fetch coco --split train2017$"):
        dataset.load(dataset.images()[0])


def test_minival_under_either_name(root: Path) -> None:
    write(root, "lvis_v1_minival_inserted_image_name", content())
    assert len(open_v1(request(root, "minival")).images()) == 1
    write(root, "lvis_v1_minival", {**content(), "images": [], "annotations": []})
    assert len(open_v1(request(root, "minival")).images()) == 0


def test_a_file_that_is_not_there(root: Path) -> None:
    with pytest.raises(DataMissingError) as caught:
        open_v05(request(root, "train"))
    assert f"{root}/lvis/lvis_v0.5_train.json of LVIS v0.5 is not there" in str(caught.value)
    assert "https://dl.fbaipublicfiles.com/LVIS/lvis_v0.5_train.json.zip" in str(caught.value)
    with pytest.raises(DataMissingError, match="lvis_v1_minival"):
        open_v1(request(root, "minival"))


def test_images_elsewhere(root: Path, tmp_path: Path) -> None:
    (root / "coco").rename(tmp_path / "elsewhere")
    dataset = open_v1(request(root, images=tmp_path / "elsewhere"))
    assert dataset.load(dataset.images()[0]).width == 20


def test_published_counts(root: Path) -> None:
    dataset = open_v1(request(root))
    assert isinstance(dataset, PublishedDataset)
    assert dataset.published_image_count == 19809
    assert dataset.published_annotation_sha256 is None


def test_recipes_of_lvis_mean_these_datasets(root: Path) -> None:
    found = registry()
    names = {recipe.dataset for recipe in found.recipes.values() if "lvis" in recipe.dataset}
    assert names == {"lvis", "lvis_v0.5"}
    for name, of in (("lvis", "v1"), ("lvis_v0.5", "v0.5")):
        opened = open_dataset(name)
        assert opened.title == f"{name}/val"
        assert opened.spec.metrics == ("lvis_bbox", "lvis_segm")
        recipe = default_recipe(found.models["mask_rcnn"], name)
        assert recipe is not None
        assert recipe.name == f"mask_rcnn_R_50_FPN_1x_lvis_{of}"
        prefixes = {found.metrics[metric].value_prefix for metric in opened.spec.metrics}
        assert {value.partition("/")[0] for value in recipe.published} <= prefixes
