"""The evaluation benchmark, small: its data is what it says, and it runs to its end."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as pycocotools_mask

from benchsuite_kernels.columns import rle


@pytest.fixture
def parts(repository: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    names = ("scenes", "outlines", "datasets", "label_maps", "cases")
    return {name: importlib.import_module(f"evaluation_cases.{name}") for name in names}


def loaded(path: Path) -> Any:
    return json.loads(path.read_text())


def test_a_scene_has_what_was_asked_for(parts: dict[str, ModuleType]) -> None:
    size = parts["scenes"].SceneSize(40, 300, 2400, categories=20, crowds=7)
    scene, again = (parts["scenes"].make_scene(size, seed=3) for _ in range(2))
    assert len(scene.truths) == 300 and len(scene.detections) == 2400
    assert scene.truths.crowd.sum() == 7
    assert np.bincount(scene.detections.images).max() <= 100
    np.testing.assert_array_equal(scene.detections.boxes, again.detections.boxes)
    for side in (scene.truths, scene.detections):
        right, bottom = (side.boxes[:, :2] + side.boxes[:, 2:]).T
        assert (side.boxes >= 0).all() and (side.boxes[:, 2:] > 1).all()
        assert (right <= scene.widths[side.images] + 0.02).all()
        assert (bottom <= scene.heights[side.images] + 0.02).all()


def test_masks_are_those_of_their_columns(parts: dict[str, ModuleType]) -> None:
    outlines = parts["outlines"]
    size = parts["scenes"].SceneSize(10, 30, 90, categories=5)
    scene = parts["scenes"].make_scene(size, seed=4)
    found = scene.detections
    heights, widths = scene.heights[found.images], scene.widths[found.images]
    columns = outlines.mask_columns(found, heights)
    boxes = outlines.mask_boxes(found, heights)
    for place, counts in enumerate(outlines.masks(found, heights, widths)):
        shape = (int(heights[place]), int(widths[place]))
        drawn = np.zeros(shape, np.uint8, order="F")
        for at in range(columns.starts[place], columns.starts[place + 1]):
            drawn[columns.tops[at] : columns.bottoms[at], columns.x[at]] = 1
        assert counts == pycocotools_mask.encode(drawn)["counts"]
        assert rle.to_bbox(counts, shape) == tuple(boxes[place])


def test_lvis_truth_is_federated(parts: dict[str, ModuleType], tmp_path: Path) -> None:
    folder = parts["datasets"].DataFolder(tmp_path, 0.002).dataset("lvis")
    truth = loaded(folder / "truth.json")
    present: dict[int, set[int]] = {image["id"]: set() for image in truth["images"]}
    for annotation in truth["annotations"]:
        present[annotation["image_id"]].add(annotation["category_id"])
    for image in truth["images"]:
        assert not present[image["id"]] & set(image["neg_category_ids"])
        assert present[image["id"]] >= set(image["not_exhaustive_category_ids"])
    held = {category["id"]: category["image_count"] for category in truth["categories"]}
    assert sum(held.values()) == sum(map(len, present.values()))
    assert {category["frequency"] for category in truth["categories"]} <= {"r", "c", "f"}


def test_segments_are_those_of_their_maps(parts: dict[str, ModuleType], tmp_path: Path) -> None:
    from PIL import Image

    parts["label_maps"].write_panoptic(tmp_path, 3, (96, 128), seed=0)
    for name in ("truth", "predictions"):
        for record in loaded(tmp_path / f"{name}.json")["annotations"]:
            colours = np.asarray(Image.open(tmp_path / name / record["file_name"])).astype(int)
            ids, areas = np.unique(colours @ [1, 256, 65536], return_counts=True)
            described = {one["id"]: one["area"] for one in record["segments_info"]}
            assert described == {i: a for i, a in zip(ids.tolist(), areas.tolist()) if i}


def test_results_are_compared_in_words(parts: dict[str, ModuleType]) -> None:
    difference = parts["cases"].difference
    same = {"precision": np.ones((2, 3, 1))}
    assert difference(same, {"precision": np.ones((2, 3))}) == "equal to the bit"
    assert difference(same, {"precision": np.full((2, 3), 1.5)}) == "off by up to 0.5"
    assert difference(same, {"precision": np.ones((3, 2))}).startswith("precision has the shape")
    assert difference(same, {"recall": np.ones(1)}) == "nothing to compare"


def test_the_script_runs(repository: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    command = [sys.executable, str(repository / "benchmarks" / "evaluation.py")]
    command += ["--data", str(tmp_path), "--scale", "0.002", "--rounds", "2", "--only", "bbox"]
    done = subprocess.run(
        [*command, "--json", str(rows)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = loaded(rows)
    assert {row["name"] for row in found} == {
        f"bbox/{measure}" for measure in ("kernel", "json", "parquet", "memory")
    }
    of_pycocotools = [row for row in found if row["peer"] == "pycocotools"]
    kernels = [row for row in of_pycocotools if row["name"] == "bbox/kernel"]
    assert {row["threads"] for row in kernels} == {1, 4}
    for row in kernels:
        assert row["results"] == "equal to the bit"
        assert row["ratio"] == pytest.approx(row["peer_s"] / row["ours_s"])
    (memory,) = (row for row in of_pycocotools if row["name"] == "bbox/memory")
    assert memory["ours_s"] is None and memory["ours_mib"] > 0 and memory["peer_mib"] > 0
