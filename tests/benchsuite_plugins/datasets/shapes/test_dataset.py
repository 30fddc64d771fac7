from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchsuite.protocols import Dataset, DatasetRequest
from benchsuite.schemas import TRUTH_IMAGES, TRUTH_INSTANCES
from benchsuite.specs import Category, load
from benchsuite_plugins import benchsuite_datasets
from benchsuite_plugins.datasets.panoptic_to_semantic import with_semantic_maps
from benchsuite_plugins.datasets.shapes import CATEGORIES, KEYPOINTS, ShapesOptions, open_shapes


@pytest.fixture(scope="module")
def dataset(val: Path, shapes_cache: Path) -> Dataset:
    return open_shapes(DatasetRequest("val", root=shapes_cache, cache=shapes_cache))


def test_it_is_a_dataset_that_serves_what_its_spec_says(dataset: Dataset) -> None:
    (spec,) = (spec for spec in benchsuite_datasets() if spec.name == "shapes")
    assert isinstance(dataset, Dataset)
    assert dataset.tasks == spec.tasks
    assert load(str(spec.categories)) == dataset.categories == CATEGORIES
    assert load(str(spec.keypoints)) == dataset.keypoints == KEYPOINTS
    assert load(str(spec.options)) is ShapesOptions and load(spec.factory) is open_shapes


def test_images_load(dataset: Dataset, val: Path) -> None:
    records = dataset.images()
    assert len(records) == 300
    image = dataset.load(records[3])
    assert image.pixels.shape == (records[3].height, records[3].width, 3)
    with Image.open(val / "images" / records[3].file_name) as png:
        assert (np.asarray(png) == image.pixels).all()


def test_its_hash_is_the_manifests(dataset: Dataset, val: Path) -> None:
    manifest = json.loads((val / "manifest.json").read_bytes())
    assert dataset.annotation_sha256 == manifest["hashes"]["annotations"]


@pytest.mark.parametrize("task", ["bbox", "segm", "keypoints", "semantic", "panoptic"])
def test_truth_has_the_schemas(dataset: Dataset, task: str) -> None:
    truth = dataset.truth(task)
    assert truth.images.schema.equals(TRUTH_IMAGES)
    assert truth.instances.schema.equals(TRUTH_INSTANCES)
    assert truth.categories == CATEGORIES
    ids = [record.id for record in dataset.images()]
    assert truth.images["image_id"].to_pylist() == ids
    if task in ("semantic", "panoptic"):
        assert truth.images["panoptic_path"].null_count == 0
        assert truth.images["segments"].null_count == 0
    else:
        assert truth.instances.num_rows > 1000


def test_beside_panoptic_maps_things_are_one_semantic_category(
    val: Path, shapes_cache: Path
) -> None:
    tasks = ("semantic", "panoptic")
    request = DatasetRequest("val", root=shapes_cache, cache=shapes_cache, tasks=tasks)
    truth = open_shapes(request).truth("semantic")
    assert truth.categories[0] == Category(0, "things", isthing=False)
    stuff = [category for category in CATEGORIES if not category.isthing]
    assert list(truth.categories[1:]) == stuff
    ids = {s["category_id"] for row in truth.images["segments"].to_pylist() for s in row}
    assert ids == {0, *(category.id for category in stuff)}


def test_semantic_truth_is_the_panoptic_one_without_instances(dataset: Dataset) -> None:
    truth = dataset.truth("semantic")
    some = replace(truth, images=truth.images.slice(0, 12))
    rows = with_semantic_maps(some).images.to_pylist()
    for row, record in zip(rows, dataset.images()):
        with Image.open(io.BytesIO(row["semantic_png"])) as png:
            assert png.mode == "L" and png.size == (record.width, record.height)
            semantic = np.asarray(png)
        areas: dict[int, int] = {}
        for segment in row["segments"]:
            category = segment["category_id"]
            areas[category] = areas.get(category, 0) + segment["area"]
        values, counts = np.unique(semantic[semantic > 0], return_counts=True)
        assert dict(zip(values.tolist(), counts.tolist())) == areas


def test_categories_are_read_without_numpy_or_pyarrow() -> None:
    code = (
        "import sys; import benchsuite_plugins.datasets.shapes as s; s.CATEGORIES; s.ShapesOptions;"
        "print([m for m in ('numpy', 'pyarrow', 'torch', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
