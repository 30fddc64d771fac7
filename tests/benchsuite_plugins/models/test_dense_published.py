"""Dense detectors against Detectron2's published configurations: names, shapes, settings."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from benchsuite_plugins.models import fcos, retinanet
from benchsuite_plugins.models.options import ResNetOptions

R101 = retinanet.RetinaNetOptions(
    resnet=ResNetOptions(depth=101, out_features=("res3", "res4", "res5"))
)
PUBLISHED = [
    ("retinanet_R_50_FPN_1x.yaml", retinanet, retinanet.RetinaNetOptions()),
    ("retinanet_R_50_FPN_1x.py", retinanet, retinanet.RetinaNetOptions()),
    ("retinanet_R_50_FPN_3x.yaml", retinanet, retinanet.RetinaNetOptions()),
    ("retinanet_R_101_FPN_3x.yaml", retinanet, R101),
    ("fcos_R_50_FPN_1x.py", fcos, fcos.FCOSOptions()),
]


def reference(golden: Path, name: str) -> Path:
    file = golden.parent / "reference" / name
    if not file.is_file():
        pytest.skip(f"no {file.name}")
    return file


@pytest.mark.parametrize(("config", "module", "options"), PUBLISHED)
def test_names_and_shapes(golden: Path, config: str, module: Any, options: Any) -> None:
    file = reference(golden, "state_dicts.json.gz")
    published = json.loads(gzip.decompress(file.read_bytes()))
    runs = published["sets"][published["shapes"][f"configs/COCO-Detection/{config}"]]
    entries = [entry for first, n in runs for entry in published["entries"][first : first + n]]
    with torch.device("meta"):
        model = module.build(options, 80)
    shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
    assert shapes == {name: shape for name, shape, _ in entries}
    parameters = {name for name, _ in model.named_parameters()}
    assert parameters == {name for name, _, is_buffer in entries if not is_buffer}


@pytest.mark.parametrize(("config", "module", "options"), PUBLISHED)
def test_settings(golden: Path, config: str, module: Any, options: Any) -> None:
    settings = json.loads(reference(golden, "settings.json").read_text(encoding="utf-8"))
    published = settings["configs"][f"configs/COCO-Detection/{config}"]
    plain = json.loads(json.dumps(asdict(options)))
    assert plain["input"] == published["input"]
    head = plain[module.__name__.rpartition(".")[2]]
    dense = published["dense"]
    for key in ("in_features", "score_thresh_test", "topk_candidates_test", "nms_thresh_test"):
        assert head[key] == dense[key], key
    assert head["detections_per_image"] == dense["detections_per_image"]
    assert head["num_convs"] == dense["convs"] and head["prior_prob"] == dense["prior_prob"]
    norm = dense["head_norm"]
    assert head["norm"] == ("GN" if norm and norm["type"] == "group norm" else "")
    assert head.get("bbox_reg_weights") == dense.get("box_coding_weights")
    with torch.device("meta"):
        model = module.build(options, 80)
    neck = published["neck"]
    assert model.backbone.strides == dict(zip(neck["out_features"], neck["strides"], strict=True))
    assert model.backbone.top_block.in_feature == neck["top_block"]["from"]
    assert model.backbone.size_divisibility == neck["size_divisibility"]
    if "anchors" in published:
        anchors = published["anchors"]
        for ours, theirs in zip(options.anchors.sizes, anchors["sizes"], strict=True):
            assert ours == pytest.approx(theirs, rel=1e-6)
        assert options.anchors.aspect_ratios[0] == pytest.approx([0.5, 1, 2])
        assert options.anchors.offset == anchors["offset"]
