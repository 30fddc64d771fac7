"""Names and shapes of the two-stage detectors' parameters against what Detectron2 saves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
import torch

from benchsuite_plugins.models.cascade_mask_rcnn import CascadeMaskRCNNOptions
from benchsuite_plugins.models.faster_rcnn import FasterRCNNOptions
from benchsuite_plugins.models.faster_rcnn_c4 import FasterRCNNC4Options
from benchsuite_plugins.models.faster_rcnn_dc5 import FasterRCNNDC5Options
from benchsuite_plugins.models.mask_rcnn import MaskRCNNOptions
from benchsuite_plugins.models.mask_rcnn_c4 import MaskRCNNC4Options
from benchsuite_plugins.models.mask_rcnn_dc5 import MaskRCNNDC5Options
from benchsuite_plugins.models.options import BoxHeadOptions, MaskHeadOptions, ResNetOptions
from benchsuite_plugins.models.proposal_network import ProposalNetworkOptions

R101 = ResNetOptions(depth=101)
X101 = ResNetOptions(depth=101, num_groups=32, width_per_group=8, stride_in_1x1=False)
DEFORMABLE = ResNetOptions(deform_on_per_stage=(False, True, True, True))
X152 = CascadeMaskRCNNOptions(
    resnet=replace(DEFORMABLE, depth=152, num_groups=32, width_per_group=8, stride_in_1x1=False),
    box_head=BoxHeadOptions(num_conv=4, num_fc=1, norm="GN", cls_agnostic_bbox_reg=True),
    mask_head=MaskHeadOptions(num_conv=8, norm="GN"),
)


def on_res4(options: type[Any]) -> Any:
    return options(resnet=ResNetOptions(depth=101, out_features=("res4",)))


def on_res5(options: type[Any]) -> Any:
    return options(resnet=ResNetOptions(depth=101, res5_dilation=2, out_features=("res5",)))


DETECTION = "COCO-Detection/"
SEGMENTATION = "COCO-InstanceSegmentation/"

CASES: list[tuple[str, Any, int]] = [
    (f"{DETECTION}rpn_R_50_FPN_1x.yaml", ProposalNetworkOptions(), 80),
    (f"{DETECTION}faster_rcnn_R_50_FPN_3x.yaml", FasterRCNNOptions(), 80),
    (f"{DETECTION}faster_rcnn_R_101_FPN_3x.yaml", FasterRCNNOptions(resnet=R101), 80),
    (f"{DETECTION}faster_rcnn_X_101_32x8d_FPN_3x.yaml", FasterRCNNOptions(resnet=X101), 80),
    ("Misc/cascade_mask_rcnn_R_50_FPN_3x.yaml", CascadeMaskRCNNOptions(), 80),
    ("Misc/cascade_mask_rcnn_X_152_32x8d_FPN_IN5k_gn_dconv.yaml", X152, 80),
    ("Misc/mask_rcnn_R_50_FPN_3x_dconv_c3-c5.yaml", MaskRCNNOptions(resnet=DEFORMABLE), 80),
    (f"{DETECTION}faster_rcnn_R_50_C4_3x.yaml", FasterRCNNC4Options(), 80),
    (f"{DETECTION}faster_rcnn_R_101_C4_3x.yaml", on_res4(FasterRCNNC4Options), 80),
    ("PascalVOC-Detection/faster_rcnn_R_50_C4.yaml", FasterRCNNC4Options(), 20),
    (f"{SEGMENTATION}mask_rcnn_R_50_C4_3x.yaml", MaskRCNNC4Options(), 80),
    (f"{SEGMENTATION}mask_rcnn_R_101_C4_3x.yaml", on_res4(MaskRCNNC4Options), 80),
    (f"{DETECTION}faster_rcnn_R_50_DC5_3x.yaml", FasterRCNNDC5Options(), 80),
    (f"{DETECTION}faster_rcnn_R_101_DC5_3x.yaml", on_res5(FasterRCNNDC5Options), 80),
    (f"{SEGMENTATION}mask_rcnn_R_50_DC5_3x.yaml", MaskRCNNDC5Options(), 80),
    (f"{SEGMENTATION}mask_rcnn_R_101_DC5_3x.yaml", on_res5(MaskRCNNDC5Options), 80),
]
"""Published configuration, the options that mean the same, and how many classes it has."""


def build(options: Any, num_classes: int) -> Any:
    module = import_module(type(options).__module__)
    if isinstance(options, ProposalNetworkOptions):
        return module.build(options)
    return module.build(options, num_classes)


@pytest.mark.parametrize(("config", "options", "num_classes"), CASES, ids=[c for c, _, _ in CASES])
def test_names_and_shapes_are_the_published_ones(
    published_state_dict: Callable[[str], tuple[dict[str, list[int]], set[str]]],
    config: str,
    options: Any,
    num_classes: int,
) -> None:
    shapes, parameters = published_state_dict(config)
    with torch.device("meta"):
        model = build(options, num_classes)
    assert {name: list(value.shape) for name, value in model.state_dict().items()} == shapes
    assert {name for name, _ in model.named_parameters()} == parameters
