"""Parameter names and shapes against those that Detectron2's models save."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import torch

from benchsuite_plugins.models.mask_rcnn import MaskRCNNOptions, build
from benchsuite_plugins.models.options import (
    BoxHeadOptions,
    FPNOptions,
    MaskHeadOptions,
    ResNetOptions,
)

GN = MaskRCNNOptions(
    resnet=ResNetOptions(norm="GN", stride_in_1x1=False),
    fpn=FPNOptions(norm="GN"),
    box_head=BoxHeadOptions(num_conv=4, num_fc=1, norm="GN"),
    mask_head=MaskHeadOptions(norm="GN"),
)
X101 = MaskRCNNOptions(
    resnet=ResNetOptions(depth=101, num_groups=32, width_per_group=8, stride_in_1x1=False)
)


@pytest.mark.parametrize(
    ("config", "options", "num_classes"),
    [
        ("COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml", MaskRCNNOptions(), 80),
        ("COCO-InstanceSegmentation/mask_rcnn_X_101_32x8d_FPN_3x.yaml", X101, 80),
        ("Misc/mask_rcnn_R_50_FPN_3x_gn.yaml", GN, 80),
        ("LVISv1-InstanceSegmentation/mask_rcnn_R_50_FPN_1x.yaml", MaskRCNNOptions(), 1203),
    ],
)
def test_names_and_shapes_are_the_published_ones(
    golden: Path, config: str, options: MaskRCNNOptions, num_classes: int
) -> None:
    file = golden.parent / "reference" / "state_dicts.json.gz"
    if not file.is_file():
        pytest.skip(f"no {file.name}")
    published = json.loads(gzip.decompress(file.read_bytes()))
    runs = published["sets"][published["shapes"][f"configs/{config}"]]
    entries = [entry for first, n in runs for entry in published["entries"][first : first + n]]
    with torch.device("meta"):
        model = build(options, num_classes)
    shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
    assert shapes == {name: shape for name, shape, _ in entries}
    parameters = {name for name, _ in model.named_parameters()}
    assert parameters == {name for name, _, is_buffer in entries if not is_buffer}
