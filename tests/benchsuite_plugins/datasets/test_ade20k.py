"""ADE20K in the layout of its archive, and a model's maps scored on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchsuite.columns.map_folders import read_prediction_maps
from benchsuite.errors import DataMissingError, InputError
from benchsuite.protocols import Dataset, DatasetRequest
from benchsuite.schemas import TRUTH_IMAGES
from benchsuite.specs import load
from benchsuite_plugins import benchsuite_datasets
from benchsuite_plugins.datasets.ade20k import CATEGORIES, open_ade20k
from benchsuite_plugins.metrics import semantic_iou

TRUTH = np.array([[0, 1, 1, 3], [150, 150, 3, 3]], np.uint8)


def write(root: Path) -> Path:
    folder = root / "ADEChallengeData2016"
    for kind in ("annotations", "images"):
        (folder / kind / "validation").mkdir(parents=True)
    for name in ("ADE_val_00000002", "ADE_val_00000001"):
        Image.fromarray(TRUTH).save(folder / "annotations" / "validation" / f"{name}.png")
        image = Image.fromarray(np.zeros((2, 4, 3), np.uint8))
        image.save(folder / "images" / "validation" / f"{name}.jpg")
    return root


def opened(root: Path, split: str = "val") -> Dataset:
    return open_ade20k(DatasetRequest(split, root=root, cache=root))


def test_categories() -> None:
    assert [category.id for category in CATEGORIES] == list(range(1, 151))
    names = [category.name for category in CATEGORIES]
    assert len(set(names)) == 150
    assert (names[0], names[12], names[149]) == ("wall", "person", "flag")
    # Detectron2's semantic labels count from 0; ids of the benchmark's own maps from 1.
    assert sum(category.isthing for category in CATEGORIES) == 100


@pytest.mark.parametrize("inside", ["ade20k", "."])
def test_dataset(tmp_path: Path, inside: str) -> None:
    write(tmp_path / inside)
    dataset = opened(tmp_path)
    (spec,) = (spec for spec in benchsuite_datasets() if spec.name == "ade20k")
    assert isinstance(dataset, Dataset) and dataset.tasks == spec.tasks
    assert load(spec.factory) is open_ade20k and load(str(spec.categories)) == dataset.categories
    assert [(r.id, r.file_name, r.width, r.height) for r in dataset.images()] == [
        (1, "ADE_val_00000001.jpg", 4, 2),
        (2, "ADE_val_00000002.jpg", 4, 2),
    ]
    assert dataset.load(dataset.images()[1]).pixels.shape == (2, 4, 3)
    truth = dataset.truth("semantic")
    assert truth.images.schema == TRUTH_IMAGES and len(dataset.annotation_sha256) == 64
    with pytest.raises(InputError, match="no truth for bbox"):
        dataset.truth("bbox")


def test_maps_scored(tmp_path: Path) -> None:
    dataset = opened(write(tmp_path))
    predictions = tmp_path / "predictions"
    predictions.mkdir()
    for record in dataset.images():
        found = np.where(TRUTH == 150, 1, TRUTH).astype(np.uint8)
        Image.fromarray(found).save(predictions / f"{Path(record.file_name).stem}.png")
    metric = semantic_iou.create()
    matches = metric.match(
        dataset.truth("semantic"), read_prediction_maps(predictions, dataset.images())
    )
    assert metric.accumulate(matches).metrics["mIoU"] == pytest.approx((2 / 4 + 1 + 0) / 3)


def test_parts_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match=r"ADEChallengeData2016\.zip"):
        opened(tmp_path)
    folder = write(tmp_path) / "ADEChallengeData2016"
    with pytest.raises(DataMissingError, match="training"):
        opened(tmp_path, "train")
    (folder / "images" / "validation").rename(folder / "elsewhere")
    dataset = opened(tmp_path)
    with pytest.raises(DataMissingError, match="the image folder"):
        dataset.load(dataset.images()[0])
    (folder / "annotations" / "validation" / "ADE_val_00000001.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"ADE_val_00000001\.png: the map is no PNG file"):
        opened(tmp_path)
