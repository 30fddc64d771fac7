"""Detectors on ViT, Swin, MViTv2 and RegNet against all of their published configurations: names,
shapes and settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from benchsuite_plugins.models.backbones.options import (
    MViTOptions,
    RegNetOptions,
    SwinOptions,
    ViTOptions,
)
from benchsuite_plugins.models.image_padding import PaddingOptions
from benchsuite_plugins.models.mask_rcnn_regnet import MaskRCNNRegNetOptions
from benchsuite_plugins.models.mvitv2_cascade_mask_rcnn import MViTv2CascadeMaskRCNNOptions
from benchsuite_plugins.models.mvitv2_mask_rcnn import MViTv2MaskRCNNOptions
from benchsuite_plugins.models.options import (
    BoxHeadOptions,
    FPNOptions,
    MaskHeadOptions,
    ROIHeadsOptions,
    RPNOptions,
)
from benchsuite_plugins.models.swin_cascade_mask_rcnn import SwinCascadeMaskRCNNOptions
from benchsuite_plugins.models.training_options import BoxHeadTrainingOptions, ClassLossOptions
from benchsuite_plugins.models.vitdet_cascade_mask_rcnn import ViTDetCascadeMaskRCNNOptions
from benchsuite_plugins.models.vitdet_mask_rcnn import ViTDetMaskRCNNOptions

VIT_B = ViTOptions()
VIT_L = ViTOptions(
    embed_dim=1024,
    depth=24,
    num_heads=16,
    global_block_indexes=(5, 11, 17, 23),
    drop_path_rate=0.4,
)
VIT_H = ViTOptions(
    embed_dim=1280,
    depth=32,
    num_heads=16,
    global_block_indexes=(7, 15, 23, 31),
    drop_path_rate=0.5,
)
SWIN_B = SwinOptions()
SWIN_L = SwinOptions(embed_dim=192, num_heads=(6, 12, 24, 48))
MVIT_T = MViTOptions(last_block_indexes=(0, 2, 7, 9), drop_path_rate=0.2)
MVIT_S = MViTOptions(last_block_indexes=(0, 2, 13, 15), drop_path_rate=0.2)
MVIT_B = MViTOptions()
MVIT_L = MViTOptions(
    embed_dim=144, num_heads=2, last_block_indexes=(1, 7, 43, 47), drop_path_rate=0.5
)
MVIT_H = MViTOptions(
    embed_dim=192,
    num_heads=3,
    last_block_indexes=(3, 11, 71, 79),
    drop_path_rate=0.6,
    activation_checkpoint=True,
)
REGNET_X = MaskRCNNRegNetOptions()
REGNET_Y = replace(
    REGNET_X, regnet=RegNetOptions(depth=22, w_a=31.41, w_m=2.24, group_width=64, se_ratio=0.25)
)


def vitdet(vit: ViTOptions) -> ViTDetMaskRCNNOptions:
    return ViTDetMaskRCNNOptions(vit=vit)


def vitdet_cascade(vit: ViTOptions) -> ViTDetCascadeMaskRCNNOptions:
    return ViTDetCascadeMaskRCNNOptions(vit=vit)


def swin(net: SwinOptions) -> SwinCascadeMaskRCNNOptions:
    return SwinCascadeMaskRCNNOptions(swin=net)


def mvit(net: MViTOptions) -> MViTv2CascadeMaskRCNNOptions:
    return MViTv2CascadeMaskRCNNOptions(mvit=net)


def square_mvit(net: MViTOptions) -> MViTv2CascadeMaskRCNNOptions:
    """MViTv2 as the ViTDet project has it."""
    vitdet = ViTDetCascadeMaskRCNNOptions()
    options = mvit(net)
    return replace(
        options,
        input=vitdet.input,
        padding=PaddingOptions(1024),
        fpn=replace(options.fpn, norm="LN"),
        box_head=vitdet.box_head,
        mask_head=vitdet.mask_head,
    )


def lvis(options: Any) -> Any:
    """Federated classes."""
    class_loss = ClassLossOptions("federated", {"num_classes": 50})
    return replace(
        options,
        roi_heads=ROIHeadsOptions(score_thresh_test=0.02, detections_per_image=300),
        box_head=replace(
            options.box_head,
            classification="federated",
            training=BoxHeadTrainingOptions(class_loss=class_loss),
        ),
    )


def fine_tuned(options: MaskRCNNRegNetOptions) -> MaskRCNNRegNetOptions:
    """From ImageNet's weights, with the heads that Mask R-CNN has by default."""
    return replace(
        options,
        regnet=replace(options.regnet, norm="FrozenBN", freeze_at=2),
        fpn=FPNOptions(in_features=("s1", "s2", "s3", "s4")),
        rpn=RPNOptions(),
        box_head=BoxHeadOptions(),
        mask_head=MaskHeadOptions(),
    )


VITDET = "projects/ViTDet/configs/"
MVITV2 = "projects/MViTv2/configs/"
SEGMENTATION = "COCO-InstanceSegmentation/"
BASELINES = "new_baselines/"

PUBLISHED: dict[str, Any] = {
    f"{VITDET}COCO/mask_rcnn_vitdet_b_100ep.py": vitdet(VIT_B),
    f"{VITDET}COCO/mask_rcnn_vitdet_l_100ep.py": vitdet(VIT_L),
    f"{VITDET}COCO/mask_rcnn_vitdet_h_75ep.py": vitdet(VIT_H),
    f"{VITDET}COCO/cascade_mask_rcnn_vitdet_b_100ep.py": vitdet_cascade(VIT_B),
    f"{VITDET}COCO/cascade_mask_rcnn_vitdet_l_100ep.py": vitdet_cascade(VIT_L),
    f"{VITDET}COCO/cascade_mask_rcnn_vitdet_h_75ep.py": vitdet_cascade(VIT_H),
    f"{VITDET}COCO/cascade_mask_rcnn_swin_b_in21k_50ep.py": swin(SWIN_B),
    f"{VITDET}COCO/cascade_mask_rcnn_swin_l_in21k_50ep.py": swin(SWIN_L),
    f"{VITDET}COCO/cascade_mask_rcnn_mvitv2_b_in21k_100ep.py": square_mvit(MVIT_B),
    f"{VITDET}COCO/cascade_mask_rcnn_mvitv2_l_in21k_50ep.py": square_mvit(MVIT_L),
    f"{VITDET}COCO/cascade_mask_rcnn_mvitv2_h_in21k_36ep.py": square_mvit(MVIT_H),
    f"{VITDET}LVIS/mask_rcnn_vitdet_b_100ep.py": lvis(vitdet(VIT_B)),
    f"{VITDET}LVIS/mask_rcnn_vitdet_l_100ep.py": lvis(vitdet(VIT_L)),
    f"{VITDET}LVIS/mask_rcnn_vitdet_h_100ep.py": lvis(vitdet(replace(VIT_H, drop_path_rate=0.4))),
    f"{VITDET}LVIS/cascade_mask_rcnn_vitdet_b_100ep.py": lvis(vitdet_cascade(VIT_B)),
    f"{VITDET}LVIS/cascade_mask_rcnn_vitdet_l_100ep.py": lvis(vitdet_cascade(VIT_L)),
    f"{VITDET}LVIS/cascade_mask_rcnn_vitdet_h_100ep.py": lvis(
        vitdet_cascade(replace(VIT_H, drop_path_rate=0.4))
    ),
    f"{VITDET}LVIS/cascade_mask_rcnn_swin_b_in21k_50ep.py": lvis(
        swin(replace(SWIN_B, drop_path_rate=0.3))
    ),
    f"{VITDET}LVIS/cascade_mask_rcnn_swin_l_in21k_50ep.py": lvis(
        swin(replace(SWIN_L, drop_path_rate=0.3))
    ),
    f"{VITDET}LVIS/cascade_mask_rcnn_mvitv2_b_in21k_100ep.py": lvis(square_mvit(MVIT_B)),
    f"{VITDET}LVIS/cascade_mask_rcnn_mvitv2_l_in21k_50ep.py": lvis(square_mvit(MVIT_L)),
    f"{VITDET}LVIS/cascade_mask_rcnn_mvitv2_h_in21k_50ep.py": lvis(square_mvit(MVIT_H)),
    f"{MVITV2}mask_rcnn_mvitv2_t_3x.py": MViTv2MaskRCNNOptions(),
    f"{MVITV2}cascade_mask_rcnn_mvitv2_t_3x.py": mvit(MVIT_T),
    f"{MVITV2}cascade_mask_rcnn_mvitv2_s_3x.py": mvit(MVIT_S),
    f"{MVITV2}cascade_mask_rcnn_mvitv2_b_3x.py": mvit(MVIT_B),
    f"{MVITV2}cascade_mask_rcnn_mvitv2_b_in21k_3x.py": mvit(MVIT_B),
    f"{MVITV2}cascade_mask_rcnn_mvitv2_l_in21k_lsj_50ep.py": mvit(MVIT_L),
    f"{MVITV2}cascade_mask_rcnn_mvitv2_h_in21k_lsj_3x.py": mvit(MVIT_H),
    f"{SEGMENTATION}mask_rcnn_regnetx_4gf_dds_fpn_1x.py": fine_tuned(REGNET_X),
    f"{SEGMENTATION}mask_rcnn_regnety_4gf_dds_fpn_1x.py": fine_tuned(REGNET_Y),
    f"{BASELINES}mask_rcnn_regnetx_4gf_dds_FPN_100ep_LSJ.py": REGNET_X,
    f"{BASELINES}mask_rcnn_regnetx_4gf_dds_FPN_200ep_LSJ.py": REGNET_X,
    f"{BASELINES}mask_rcnn_regnetx_4gf_dds_FPN_400ep_LSJ.py": REGNET_X,
    f"{BASELINES}mask_rcnn_regnety_4gf_dds_FPN_100ep_LSJ.py": REGNET_Y,
    f"{BASELINES}mask_rcnn_regnety_4gf_dds_FPN_200ep_LSJ.py": REGNET_Y,
    f"{BASELINES}mask_rcnn_regnety_4gf_dds_FPN_400ep_LSJ.py": REGNET_Y,
}
CONFIGS = pytest.mark.parametrize("config", PUBLISHED)

NORMS = {
    "LN": "layer norm",
    "SyncBN": "synchronised batch norm",
    "FrozenBN": "frozen batch norm",
}
BACKBONES = {"vit": "ViT", "swin": "SwinTransformer", "mvit": "MViT", "regnet": "RegNet"}

Published = Callable[[str], dict[str, Any]]


def build(config: str) -> Any:
    options, num_classes = PUBLISHED[config], 1203 if "LVIS" in config else 80
    with torch.device("meta"):
        return import_module(type(options).__module__).build(options, num_classes)


@CONFIGS
def test_names_and_shapes(
    config: str,
    published_state_dict: Callable[[str], tuple[dict[str, list[int]], set[str]]],
) -> None:
    shapes, parameters = published_state_dict(config)
    model = build(config)
    assert {name: list(value.shape) for name, value in model.state_dict().items()} == shapes
    assert {name for name, _ in model.named_parameters()} == parameters


@CONFIGS
def test_input_and_pyramid(config: str, published_settings: Published) -> None:
    published, options = published_settings(config), PUBLISHED[config]
    assert plain(options.input) == published["input"]
    neck = published["neck"]
    square = options.padding.square_size if hasattr(options, "padding") else 0
    assert square == neck["padding"]["square_size"]
    backbone = build(config).backbone
    assert backbone.size_divisibility == 32
    assert backbone.strides == dict(zip(neck["out_features"], neck["strides"], strict=True))
    assert neck["top_block"] == {"type": "LastLevelMaxPool", "levels": 1, "from": "p5"}
    if neck["type"] == "SimpleFeaturePyramid":
        pyramid = plain(options.simple_feature_pyramid)
        assert pyramid == {"scale_factors": neck["scale_factors"], "out_channels": 256}
    else:
        assert list(options.fpn.in_features) == neck["in_features"]
        assert options.fpn.fuse_type == neck["fuse"]
        assert_norm(options.fpn.norm, neck["norm"])
    anchors = published["anchors"]
    assert plain(options.anchors) == {
        "sizes": anchors["sizes"],
        "aspect_ratios": [anchors["aspect_ratios"]],
        "offset": anchors["offset"],
    }


@CONFIGS
def test_backbone(config: str, published_settings: Published) -> None:
    arguments = published_settings(config)["backbone"]["arguments"]
    (section,) = {"vit", "swin", "mvit", "regnet"} & set(asdict(PUBLISHED[config]))
    assert arguments["type"] == BACKBONES[section]
    options = plain(getattr(PUBLISHED[config], section))
    checkpoint = arguments.get("use_act_checkpoint", arguments.get("use_checkpoint"))
    assert options.pop("activation_checkpoint", None) == checkpoint
    if section == "vit":
        everywhere = {*options.pop("global_block_indexes"), *arguments["window_block_indexes"]}
        assert everywhere == set(range(arguments["depth"]))
    assert options == {name: arguments[name] for name in options}


@CONFIGS
def test_proposals(config: str, published_settings: Published) -> None:
    rpn, options = published_settings(config)["rpn"], PUBLISHED[config].rpn
    assert list(options.in_features) == rpn["in_features"]
    assert options.conv_dims == (-1,) * rpn["convs"]
    training = options.training
    for name, of_test, of_training in (
        ("pre_nms_topk", options.pre_nms_topk_test, training.pre_nms_topk),
        ("post_nms_topk", options.post_nms_topk_test, training.post_nms_topk),
    ):
        assert {"train": of_training, "test": of_test} == rpn[name]
    assert (options.nms_thresh, options.min_size) == (rpn["nms_thresh"], rpn["min_box_size"])
    assert list(options.bbox_reg_weights) == rpn["box_coding_weights"]
    assert training.batch_size_per_image == rpn["batch_size_per_image"]
    assert training.positive_fraction == rpn["positive_fraction"]


@CONFIGS
def test_heads(config: str, published_settings: Published) -> None:
    published, options = published_settings(config), PUBLISHED[config]
    heads, box, mask = published["roi_heads"], published["box"], published["mask"]
    assert list(options.roi_heads.in_features) == heads["in_features"]
    assert options.roi_heads.training.batch_size_per_image == heads["batch_size_per_image"]
    cascade = heads["type"] == "CascadeROIHeads"
    assert cascade == hasattr(options, "cascade")
    stages = box["stages"] if cascade else [box]
    weights = options.cascade.bbox_reg_weights if cascade else (options.box_head.bbox_reg_weights,)
    assert [list(each) for each in weights] == [stage["box_coding_weights"] for stage in stages]
    if cascade:
        thresholds = [matcher["iou_thresholds"] for matcher in heads["cascade_matchers"]]
        assert [[iou] for iou in options.cascade.ious] == thresholds
    for stage in stages:
        assert options.box_head.cls_agnostic_bbox_reg == stage["class_agnostic_box"]
        for name in ("score_thresh_test", "nms_thresh_test", "detections_per_image"):
            assert getattr(options.roi_heads, name) == stage[name]
        federated = stage["class_loss"] == "federated sigmoid cross entropy"
        assert (options.box_head.classification == "federated") == federated
        if federated:
            count = stage["federated_num_classes"]
            assert options.box_head.training.class_loss.options == {"num_classes": count}
    assert (options.box_head.num_conv, options.box_head.num_fc) == (
        box["head"]["convs"],
        box["head"]["fcs"],
    )
    assert_norm(options.box_head.norm, box["head"]["conv_norm"])
    assert options.mask_head.num_conv == mask["convs"]
    assert_norm(options.mask_head.norm, mask["norm"])
    for head, pooler in ((options.box_head, box["pooler"]), (options.mask_head, mask["pooler"])):
        assert pooler["aligned"] and head.pooler_type == "ROIAlignV2"
        assert head.pooler_resolution == pooler["resolution"]
        assert head.pooler_sampling_ratio == pooler["sampling_ratio"]


@pytest.mark.usefixtures("published_settings")
def test_no_published_detector_of_these_kinds_is_left_out(golden: Path) -> None:
    file = golden.parent / "reference" / "settings.json"
    configs = json.loads(file.read_text(encoding="utf-8"))["configs"]
    of_these_kinds = {
        config.removeprefix("configs/")
        for config, settings in configs.items()
        if settings.get("backbone", {}).get("type") in BACKBONES.values()
    }
    assert of_these_kinds == set(PUBLISHED)


def plain(options: Any) -> Any:
    return json.loads(json.dumps(asdict(options)))


def assert_norm(name: str, published: dict[str, Any] | None) -> None:
    assert NORMS.get(name) == (published["type"] if published else None)
