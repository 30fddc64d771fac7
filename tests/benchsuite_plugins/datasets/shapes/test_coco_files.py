"""The default val split's files, held against pycocotools."""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchsuite_plugins.datasets.shapes import CATEGORIES, KEYPOINTS

# pycocotools' compiled part is older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

BEINGS = [category.id for category in CATEGORIES if category.name in ("figure", "robot")]


@pytest.fixture(scope="module")
def coco(val: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(val / "instances.json"))


@pytest.fixture(scope="module")
def annotations(coco: COCO) -> list[dict[str, Any]]:
    return list(coco.anns.values())


@pytest.fixture(scope="module")
def panoptic(val: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((val / "panoptic.json").read_bytes())
    return content


def read_map(val: Path, record: dict[str, Any]) -> NDArray[np.int64]:
    with Image.open(val / "panoptic" / record["file_name"]) as png:
        colours = np.asarray(png).astype(np.int64)
    return colours @ np.array([1, 256, 65536])


def test_masks_have_the_stated_area_and_box(annotations: list[dict[str, Any]]) -> None:
    # One by one: some versions of pycocotools cannot take the area of more than 255 at once.
    for annotation in annotations:
        assert coco_mask.area(annotation["segmentation"]) == annotation["area"]
        assert coco_mask.toBbox(annotation["segmentation"]).tolist() == annotation["bbox"]


def test_runs_are_what_pycocotools_would_have_written(annotations: list[dict[str, Any]]) -> None:
    for annotation in annotations[::10]:
        rle = annotation["segmentation"]
        again = coco_mask.encode(np.asfortranarray(coco_mask.decode(rle)))
        assert again["counts"].decode("ascii") == rle["counts"]


def test_images_are_as_described(val: Path, coco: COCO) -> None:
    ids = sorted(coco.imgs)
    assert len(ids) == 300 and ids[:2] == [12, 22]
    for image in coco.imgs.values():
        with Image.open(val / "images" / image["file_name"]) as png:
            assert (png.mode, png.size) == ("RGB", (image["width"], image["height"]))
    widths, heights = (np.array([i[k] for i in coco.imgs.values()]) for k in ("width", "height"))
    assert min(widths.min(), heights.min()) > 80 and max(widths.max(), heights.max()) <= 256
    assert 40 < (heights > widths).sum() < 150


def test_it_holds_what_makes_detection_hard(coco: COCO, annotations: list[dict[str, Any]]) -> None:
    ordinary = [a for a in annotations if not a["iscrowd"]]
    crowds = [a for a in annotations if a["iscrowd"]]
    sizes = Counter(sum(a["area"] >= edge for edge in (32**2, 96**2)) for a in ordinary)
    assert sizes[0] > 400 and sizes[1] > 400 and sizes[2] > 25
    assert sum(a["area"] < 16**2 for a in ordinary) > 100
    assert len(crowds) > 20
    by_category = Counter(a["category_id"] for a in ordinary)
    assert set(by_category) == {c.id for c in CATEGORIES if c.isthing}
    assert min(by_category.values()) > 30
    empty = [image for image in coco.imgs if not coco.getAnnIds(image)]
    assert 5 < len(empty) < 40
    cut = 0
    for annotation in ordinary:
        x, y, w, h = annotation["bbox"]
        image = coco.imgs[annotation["image_id"]]
        cut += x == 0 or y == 0 or x + w == image["width"] or y + h == image["height"]
    assert cut > 150


def test_keypoints_fit_their_box_and_their_mask(annotations: list[dict[str, Any]]) -> None:
    seen = Counter[int]()
    for annotation in annotations:
        assert ("keypoints" in annotation) == (annotation["category_id"] in BEINGS)
        if annotation["category_id"] not in BEINGS:
            continue
        points = np.array(annotation["keypoints"]).reshape(len(KEYPOINTS.names), 3)
        seen.update(points[:, 2].tolist())
        assert annotation["num_keypoints"] == (points[:, 2] > 0).sum()
        assert not points[points[:, 2] == 0].any()
        mask = coco_mask.decode(annotation["segmentation"])
        x, y, w, h = annotation["bbox"]
        for column, row, visibility in points[points[:, 2] > 0].tolist():
            assert 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1]
            # Visible exactly where the being itself is seen; hidden by something nearer elsewhere.
            assert mask[row, column] == (visibility == 2)
            if visibility == 2:
                assert x <= column < x + w and y <= row < y + h
        if annotation["iscrowd"]:
            assert not points.any()
    assert min(seen[0], seen[1], seen[2]) > 300


def test_truth_scored_against_itself_is_perfect(coco: COCO) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        results = coco.loadRes(
            [
                {
                    key: annotation[key]
                    for key in ("image_id", "category_id", "bbox", "segmentation")
                }
                | {"score": 1.0}
                for annotation in coco.anns.values()
                if not annotation["iscrowd"]
            ]
        )
        for task in ("bbox", "segm"):
            evaluation = COCOeval(coco, results, task)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
            assert evaluation.stats[:6] == pytest.approx(1.0)
        points = coco.loadRes(
            [
                {key: annotation[key] for key in ("image_id", "category_id", "keypoints")}
                | {"score": 1.0}
                for annotation in coco.anns.values()
                if annotation.get("num_keypoints")
            ]
        )
        evaluation = COCOeval(coco, points, "keypoints")
        evaluation.params.catIds = BEINGS
        evaluation.params.kpt_oks_sigmas = np.array(KEYPOINTS.sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        assert evaluation.stats[:3] == pytest.approx(1.0)


def test_panoptic_segments_partition_the_map(
    val: Path, coco: COCO, panoptic: dict[str, Any]
) -> None:
    void = pixels = 0
    for record in panoptic["annotations"]:
        ids = read_map(val, record)
        present = dict(zip(*(part.tolist() for part in np.unique(ids, return_counts=True))))
        void, pixels = void + present.pop(0, 0), pixels + ids.size
        assert present == {s["id"]: s["area"] for s in record["segments_info"]}
        stuff = [s["category_id"] for s in record["segments_info"] if s["category_id"] > 100]
        assert len(stuff) == len(set(stuff))
        things = [s for s in record["segments_info"] if s["category_id"] < 100]
        instances = coco.loadAnns(coco.getAnnIds(record["image_id"]))
        assert [s["area"] for s in things] == [a["area"] for a in instances]
        for segment, instance in zip(things, instances):
            assert segment["iscrowd"] == instance["iscrowd"]
            assert segment["bbox"] == instance["bbox"]
            mask = coco_mask.decode(instance["segmentation"]).astype(bool)
            assert ((ids == segment["id"]) == mask).all()
    assert 0.01 < void / pixels < 0.2


def test_categories_are_those_of_the_spec(coco: COCO, panoptic: dict[str, Any]) -> None:
    things = [(c.id, c.name) for c in CATEGORIES if c.isthing]
    assert [(c["id"], c["name"]) for c in coco.dataset["categories"]] == things
    every = [(c.id, c.name, int(c.isthing)) for c in CATEGORIES]
    assert [(c["id"], c["name"], c["isthing"]) for c in panoptic["categories"]] == every
    assert len({tuple(c["color"]) for c in panoptic["categories"]}) == len(every)
    assert {c["id"]: c["keypoints"] for c in coco.dataset["categories"] if "keypoints" in c} == {
        being: list(KEYPOINTS.names) for being in BEINGS
    }
