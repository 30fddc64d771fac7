"""CrowdPose's layout, and what its annotations leave out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import DataMissingError, UsageError
from benchsuite.protocols import Dataset, DatasetRequest
from benchsuite.resolve import find_dataset
from benchsuite.slices import stated_slices
from benchsuite_plugins.datasets.crowdpose import open_crowdpose
from benchsuite_plugins.datasets.crowdpose_keypoints import KEYPOINTS


def request(root: Path, split: str = "val") -> DatasetRequest:
    return DatasetRequest(split=split, root=root, cache=root / "cache")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    person = {"id": 1, "name": "person", "keypoints": list(KEYPOINTS.names), "skeleton": [[16, 14]]}
    annotation = {
        "id": 9,
        "image_id": 5,
        "category_id": 1,
        "bbox": [10, 10, 20, 40],
        "iscrowd": 0,
        "keypoints": [12, 20, 2] * 14,
        "num_keypoints": 14,
    }
    sizes = {"height": 100, "width": 80}
    content: dict[str, Any] = {
        "images": [
            {"id": 5, "file_name": "5.jpg", "crowdIndex": 0.76, **sizes},
            {"id": 3, "file_name": "3.jpg", "crowdIndex": 0, **sizes},
        ],
        "annotations": [annotation],
        "categories": [person],
    }
    (tmp_path / "crowdpose" / "json").mkdir(parents=True)
    (tmp_path / "crowdpose" / "json" / "crowdpose_val.json").write_text(json.dumps(content))
    return tmp_path


def test_the_truth_has_areas_and_crowd_indices(root):
    dataset = open_crowdpose(request(root))
    assert isinstance(dataset, Dataset)
    assert dataset.keypoints == KEYPOINTS
    truth = dataset.truth("keypoints")
    assert truth.instances["area"].to_pylist() == [20 * 40 * 0.53]
    assert dataset.truth("bbox").instances["area"].to_pylist() == [20 * 40]
    stated = [json.loads(text) for text in truth.images["attributes"].to_pylist()]
    assert stated == [{"crowdIndex": 0.0}, {"crowdIndex": 0.76}]
    # A measure is nothing to group images by.
    assert stated_slices(truth.images) == []


def test_an_annotation_file_alone_is_known_by_its_name(root, tmp_path):
    file = root / "crowdpose" / "json" / "crowdpose_val.json"
    spec, _, path = find_dataset(str(file))
    assert (spec.name, path) == ("crowdpose", file)
    given = DatasetRequest(split="val", root=tmp_path / "no", cache=tmp_path, annotations=file)
    assert open_crowdpose(given).truth("keypoints").instances["area"].to_pylist() == [424]


def test_what_is_missing_is_named(root):
    with pytest.raises(DataMissingError, match=r"crowdpose_test\.json"):
        open_crowdpose(request(root, "test"))
    dataset = open_crowdpose(request(root))
    with pytest.raises(UsageError, match="no image folder"):
        dataset.load(dataset.images()[0])
