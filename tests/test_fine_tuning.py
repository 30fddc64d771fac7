"""Own data in one command: a COCO-format file with classes that the weights do not know."""

from __future__ import annotations

import json

import numpy as np
import PIL.Image
import pytest
from safetensors.torch import load_file

from benchsuite.cli.main import main

SHORT = [
    "--threads", "1", "--device", "cpu", "--workers", "0", "--precision", "fp32", "--json",
    "training.images_per_batch=2", "training.schedule.warmup_iters=1",
    "training.auto_scale=false",
]  # fmt: skip


@pytest.fixture
def own(tmp_path):
    """Six images with a pale bar each, and two kinds of bars."""
    images, annotations = [], []
    for number in range(6):
        pixels = np.full((90, 120, 3), 40 + 10 * number, np.uint8)
        x, y, w, h = 10 + number, 20, (60, 15)[number % 2], (15, 60)[number % 2]
        pixels[y : y + h, x : x + w] = 230
        PIL.Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 120, "height": 90})
        annotations.append(
            {
                "id": number + 1,
                "image_id": number,
                "category_id": (3, 8)[number % 2],
                "bbox": [x, y, w, h],
                "area": w * h,
                "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
                "iscrowd": 0,
            }
        )
    categories = [{"id": 3, "name": "lying bar"}, {"id": 8, "name": "standing bar"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "own.json").write_text(json.dumps(content))
    return ["--dataset", str(tmp_path / "own.json"), "--images", str(tmp_path)]


def test_weights_of_other_classes_are_a_start(own, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BENCHSUITE_CACHE", str(tmp_path / "cache"))
    first, second = tmp_path / "first", tmp_path / "second"
    command = ["train", "mask_rcnn_R_18_FPN_shapes", *SHORT]
    start = [*command, "--validate-on", "none", "dataset.count=4", "training.iterations=1"]
    assert main([*start, "--out", str(first)]) == 0
    weights = first / "last" / "model.safetensors"
    capsys.readouterr()
    tuned = [*command, *own, "--init", str(weights), "training.iterations=3"]
    tuned += ["--validate-on", own[1], "--out", str(second)]
    assert main(tuned) == 0
    told = capsys.readouterr()
    assert "cls_score" in told.err
    outcome = json.loads(told.out)
    assert outcome["steps"] == 3
    assert 0 <= outcome["metrics"]["segm/AP"] <= 1
    kept = json.loads((second / "training.json").read_text())
    assert [each["name"] for each in kept["identity"]["categories"]] == [
        "lying bar",
        "standing bar",
    ]
    shapes = [
        load_file(each / "last" / "model.safetensors")["roi_heads.box_predictor.cls_score.weight"]
        for each in (first, second)
    ]
    assert [len(each) for each in shapes] == [12 + 1, 2 + 1]
    run = ["run", "--model", str(second), *own, "--threads", "1", "--json", "--warmup", "0"]
    assert main([*run, "--out", str(tmp_path / "results")]) == 0
    measured = json.loads(capsys.readouterr().out)["metrics"]["segm/AP"]
    assert measured == pytest.approx(outcome["best"]["metrics"]["segm/AP"], abs=1e-9)
